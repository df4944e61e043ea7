"""How many connections one public listener holds: in all, and from one address."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class ConnectionLimits:
    """Counts open connections; 0 means no limit.

    Behind a proxy every connection has the proxy's address: set `per_address` to 0 there.
    """

    total: int = 10_000
    per_address: int = 1_000
    _open: Counter[str] = field(default_factory=Counter)
    _count: int = 0

    @property
    def open(self) -> int:
        """Connections that are open now."""
        return self._count

    def take(self, address: str) -> bool:
        """Count a new connection, unless a limit is reached."""
        if (self.total and self._count >= self.total) or (self.per_address and self._open[address] >= self.per_address):
            return False
        self._open[address] += 1
        self._count += 1
        return True

    def release(self, address: str) -> None:
        """Forget a connection that `take` counted."""
        self._count -= 1
        self._open[address] -= 1
        if not self._open[address]:
            # Delete the entry, so that the table holds only addresses with open connections.
            del self._open[address]
