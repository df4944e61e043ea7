"""What was published in a channel and whether a client's position can be recovered from it. Pure."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Any

# Largest gap that a subscribe answers with publications; a larger one is not recovered, never in part.
RECOVERY_LIMIT = 300


@dataclasses.dataclass(frozen=True, slots=True)
class Logged:
    """An event for the log: its envelope, as a mapping and as JSON that is encoded once for the log, the instances and
    the webhooks, and the channels that show it.
    """

    envelope: Mapping[str, Any]
    data: bytes
    occurred_at: datetime.datetime
    channels: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Published:
    """One publication: its place in the channel (1, 2, 3 ...), its CloudEvents envelope as JSON bytes without newlines,
    and the envelope's type.
    """

    offset: int
    data: bytes
    topic: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class History:
    """The channel's top offset and, in order, publications after the position that was asked for."""

    epoch: str
    top: int
    publications: tuple[Published, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Recovery:
    """`offset` is where the client stands before it handles `publications`."""

    recovered: bool
    offset: int
    publications: tuple[Published, ...] = ()


def recover(history: History, *, epoch: str, offset: int) -> Recovery:
    """Whether everything after `offset` is in `history` without a gap (the Centrifugo stream recovery rule)."""
    missed = history.publications
    same_log = epoch in ("", history.epoch)
    if same_log and not missed and history.top == offset:
        return Recovery(True, offset)
    complete = bool(missed) and missed[0].offset == offset + 1 and missed[-1].offset == history.top
    if same_log and complete and len(missed) <= RECOVERY_LIMIT:
        return Recovery(True, offset, missed)
    return Recovery(False, history.top)


def is_position(text: str) -> bool:
    """Whether the text is a position in a log: at most 18 digits, so that PostgreSQL's bigint holds it."""
    return text.isascii() and text.isdigit() and len(text) <= 18
