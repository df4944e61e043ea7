"""A claimed job as its handler sees it, and the JSON that its columns hold."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from libs.errors import InvalidArgument
from libs.jobs.kind import MAX_ARGS_BYTES, MAX_STALLS


@dataclass(slots=True)
class Job:
    """One claim of a job, `waited` seconds after it was due. `token` is the fence: worth nothing once another worker
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
    def suspect(self) -> bool:
        """Its workers died so often that the next stall quarantines it: a worker holds one such job at a time."""
        return self.stalls >= MAX_STALLS - 1


def encode_json(value: Mapping[str, Any] | None, what: str) -> str:
    """The JSON text of a jsonb column; InvalidArgument when it is too large or jsonb cannot hold it."""
    try:
        text = msgspec.json.encode(value or {})
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgument("job_payload_invalid", f"A job's {what} must be plain JSON values.") from error
    if len(text) > MAX_ARGS_BYTES:
        raise InvalidArgument(
            "job_payload_too_large", f"A job's {what} may be at most 1 MiB of JSON; store the body and pass its key."
        )
    if b"\\u0000" in text:
        raise InvalidArgument("job_payload_invalid", f"A job's {what} may not contain NUL characters.")
    return text.decode()


def decode_json(text: str) -> dict[str, Any]:
    value = msgspec.json.decode(text)
    return value if isinstance(value, dict) else {}
