"""The second level as plain Python: what each script must answer, without time. Compared with the Lua on a server."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count


@dataclass
class RedisModel:
    """One key with one tag. Generations are numbers that never come back; 0: the tag is not there."""

    tag: int = 0
    # Whether the generation outlives the lease that made it: something was filled under it.
    lasts: bool = False
    # version, generation
    value: tuple[int, int] | None = None
    # reader, generation
    lease: tuple[int, int] | None = None
    markers: set[int] = field(default_factory=set)
    # The last replacement: old generation, event, new generation.
    replaced: tuple[int, int, int] | None = None
    _generations: count[int] = field(default_factory=lambda: count(1))

    def get(self, reader: int, min_version: int = 0) -> tuple[str, int]:
        """("hit", version), or ("leased" or "held", 0)."""
        if self.value is not None and self.value[1] == self.tag and self.tag and self.value[0] >= min_version:
            return "hit", self.value[0]
        if self.lease is not None:
            return "held", 0
        self.lease = (reader, self.note())
        return "leased", 0

    def note(self) -> int:
        """The generation before a write."""
        if not self.tag:
            self.tag, self.lasts = next(self._generations), False
        return self.tag

    def write(self, noted: int, event: int, version: int) -> bool:
        """Write-through: nothing but the write's own event has replaced the tag since."""
        if not self.tag or (self.tag != noted and self.replaced != (noted, event, self.tag)):
            return False
        if self.value is not None and self.value[1] == self.tag and self.value[0] >= version:
            return False
        self.value, self.lasts = (version, self.tag), True
        return True

    def fill(self, reader: int, version: int) -> bool:
        if self.lease is None or self.lease[0] != reader:
            return False
        _, generation = self.lease
        self.lease = None
        if generation != self.tag:
            return False
        self.value, self.lasts = (version, generation), True
        return True

    def release(self, reader: int) -> bool:
        if self.lease is None or self.lease[0] != reader:
            return False
        self.lease = None
        return True

    def lapse(self) -> None:
        """A lease's lifetime passes, and no value's."""
        self.lease = None
        if not self.lasts:
            self.tag = 0

    def invalidate(self, event: int) -> bool:
        if event in self.markers:
            return False
        self.markers.add(event)
        if self.tag:
            new = next(self._generations)
            self.replaced, self.tag = (self.tag, event, new), new
        return True

    def evict(self, what: str) -> None:
        """value, lease or tag goes; "all" is a flush."""
        if what in ("value", "all"):
            self.value = None
        if what in ("lease", "all"):
            self.lease = None
        if what in ("tag", "all"):
            self.tag = 0
        if what == "all":
            self.markers.clear()
