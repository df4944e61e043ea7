"""Identifiers: opaque, prefixed, sortable by creation.

"agt_" + 26 characters: a UUIDv7 (RFC 9562, 5.7) in lowercase Crockford base32.
Ids made by one process strictly increase, so id order is creation order there. Columns that hold them use
COLLATE "C", or PostgreSQL sorts them otherwise than Python does.
"""

import os
import re
import threading
import time
import uuid

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]
_BODY = re.compile(r"[0-7][0-9a-hjkmnp-tv-z]{25}", re.ASCII)
_JOB = re.compile(r"job_([a-z]+)_([0-7][0-9a-hjkmnp-tv-z]{25})", re.ASCII)
_DEAD_EVENT = re.compile(r"dead_([a-z]+)_([0-7][0-9a-hjkmnp-tv-z]{25})", re.ASCII)
# Random bits of a UUIDv7 without version and variant (RFC 9562, 5.7).
_TAIL_BITS = 74
_TAIL_MASK = (1 << _TAIL_BITS) - 1

_lock = threading.Lock()
_last_ms = 0
_last_tail = 0


def _next_stamp() -> tuple[int, int]:
    """Milliseconds and a 74-bit tail that, read together, only grow; the clock may stand still or go back."""
    global _last_ms, _last_tail
    now = time.time_ns() // 1_000_000
    with _lock:
        if now > _last_ms:
            _last_ms = now
            # The top bit stays free so that one millisecond has room to count up.
            _last_tail = int.from_bytes(os.urandom(10), "big") & (_TAIL_MASK >> 1)
        else:
            _last_tail += 1 + int.from_bytes(os.urandom(4), "big")
            if _last_tail > _TAIL_MASK:
                _last_ms += 1
                _last_tail &= _TAIL_MASK >> 1
        return _last_ms, _last_tail


def _new_number() -> int:
    ms, tail = _next_stamp()
    rand_a, rand_b = tail >> 62, tail & ((1 << 62) - 1)
    return (ms << 80) | (0x7 << 76) | (rand_a << 64) | (0b10 << 62) | rand_b


def _encode(number: int) -> str:
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in range(120, -1, -10)])


def new_uuid7() -> uuid.UUID:
    """A UUIDv7, greater than every earlier one of this process."""
    return uuid.UUID(int=_new_number())


def new_id(prefix: str) -> str:
    """A new id such as agt_01…; the prefix comes without its underscore."""
    return f"{prefix}_{_encode(_new_number())}"


def lowest_id(prefix: str, ms: int) -> str:
    """A bound below every id that is made in this millisecond (since 1970) or later; no resource has it as its id."""
    return f"{prefix}_{_encode(max(0, ms) << 80)}"


def new_job_id(owner: str) -> str:
    """A job's id, which names the service whose schema holds it: job_<owner>_<26 characters>."""
    return f"job_{owner}_{_encode(_new_number())}"


def job_owner(job_id: str) -> str | None:
    """The service that owns a job, or None when the text is no job id."""
    match = _JOB.fullmatch(job_id)
    return match.group(1) if match else None


def dead_event_id(owner: str, number: uuid.UUID) -> str:
    """How a dead event that `owner` keeps under this UUIDv7 is called outside: dead_<owner>_<26 characters>."""
    return f"dead_{owner}_{_encode(number.int)}"


def read_dead_event_id(text: str) -> tuple[str, uuid.UUID] | None:
    """The service that keeps a dead event and its number there; None when the text is no such id."""
    match = _DEAD_EVENT.fullmatch(text)
    if match is None:
        return None
    number = 0
    for letter in match.group(2):
        number = number << 5 | _ALPHABET.index(letter)
    return match.group(1), uuid.UUID(int=number)


def is_id(text: str, prefix: str) -> bool:
    """Whether the text has the form of an id with this prefix (never whether such a thing exists)."""
    head, _, body = text.rpartition("_")
    return head == prefix and _BODY.fullmatch(body) is not None
