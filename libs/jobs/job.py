"""A job as it is written and as its handler sees it, and the JSON of its columns. Values only: no store, no bus."""

import enum
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from libs.clock import utcnow
from libs.context import job_proof
from libs.errors import InvalidArgument

# Bytes of a job's arguments, and of its result. A claim reads arguments whole, up to 512 jobs at once: raising this
# raises the memory of a claim by as much. Larger bodies belong in object storage.
MAX_PAYLOAD_BYTES = 1024 * 1024
# Expired leases after which a job is quarantined. Two can be bad luck (two deployments); a third is the job's doing.
# Raising it lets a job that kills its worker kill that many more.
MAX_STALLS = 3

# In which states a job holds its unique key: while it waits, until it ends, or also when it has ended.
WAITING = frozenset(("scheduled", "queued"))
LIVE = WAITING | {"running"}
ENDS = frozenset(("completed", "failed", "cancelled"))


class Lane(enum.IntEnum):
    HIGH = 0
    NORMAL = 1
    LOW = 2


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to be written, as its kind makes it (JobKind.new). `delay` is in seconds and counts from the insert;
    `run_at` takes its place when given. `unique_ends` are the ended states that hold the key, None for none of them."""

    service: str
    kind: str
    org_id: str
    args: Mapping[str, Any] | None
    queue: str
    lane: Lane
    max_attempts: int
    unique_key: str | None
    unique_until_start: bool
    unique_ends: str | None
    run_at: datetime | None
    delay: float

    @property
    def waits(self) -> bool:
        """Not due yet: it stays outside the claims' index until libs.jobs.store.leases.promote brings it near."""
        return self.delay > 0 if self.run_at is None else self.run_at > utcnow()


@dataclass(slots=True)
class Job:
    """One claim of a job, `waited` seconds after it was due. `token` is the fence: it is worthless once another worker
    has claimed the row."""

    id: str
    queue: str
    kind: str
    org_id: str
    args: Mapping[str, Any]
    lane: int
    attempt: int
    max_attempts: int
    stalls: int
    run_at: datetime
    waited: float
    traceparent: str | None
    worker: str
    token: uuid.UUID

    @property
    def proof(self) -> str:
        """What calls made by its handler show, to act for its organization; nothing when it has none."""
        return job_proof(self.id, str(self.token)) if self.org_id else ""

    @property
    def suspect(self) -> bool:
        """Its workers died so often that the next stall quarantines it: a worker holds one such job at a time."""
        return self.stalls >= MAX_STALLS - 1


def encode_json(value: Mapping[str, Any] | None, what: str) -> str:
    """The JSON text of a jsonb column; InvalidArgument when it is too large or jsonb cannot hold it."""
    try:
        text = msgspec.json.encode(value or {})
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgument("job_payload_invalid", f"A job's {what} must be plain JSON values.") from error
    if len(text) > MAX_PAYLOAD_BYTES:
        raise InvalidArgument(
            "job_payload_too_large", f"A job's {what} may be at most 1 MiB of JSON; store the body and pass its key."
        )
    if b"\\u0000" in text:
        raise InvalidArgument("job_payload_invalid", f"A job's {what} may not contain NUL characters.")
    return text.decode()


def decode_json(text: str) -> dict[str, Any]:
    value = msgspec.json.decode(text)
    return value if isinstance(value, dict) else {}
