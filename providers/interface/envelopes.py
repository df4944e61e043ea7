"""The envelope of an inbound webhook: what is kept of it, and when two deliveries are the same thing.

Signed bytes that are no envelope are refused. An envelope of an unknown type is kept and not processed. A provider
describes its envelopes by a Shape.
"""

import enum
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NoReturn

from libs import untrusted_json as fields
from libs.errors import InvalidArgument
from providers.interface.long_texts import LongText

# Characters of a type or id in a delivery; longer ones are not the provider's.
_MAX_NAME = 200
# Each rank leaves room for a number of turns, which orders the reports of one rank.
RANK_STEP = 100_000
# The least completeness of a provider's report of an end, whichever the provider: lower ranks are of calls that run.
# Lower: a call that only its live party ended counts as reported, and its lost report is never fetched.
ENDED_COMPLETENESS = 3 * RANK_STEP


class Makes(enum.Enum):
    """What is made of an envelope."""

    NOTHING = ""
    CALL = "call"
    RECORDING = "recording"


@dataclass(frozen=True, slots=True)
class Shape:
    """Where a provider's envelope has its parts. Names are dotted paths, and an empty one means the whole body.
    `key_name` is the conversation's id inside the data, `sent_name` a Unix time in seconds. `default_type` is the type
    of a body that has none.

    `makes` lists the types that make something. `completeness` takes type and data and returns how much the report
    knows of its call, or None if it reports no call."""

    type_name: str
    data_name: str
    key_name: str
    makes: Mapping[str, Makes]
    completeness: Callable[[str, Mapping[str, Any]], int | None]
    sent_name: str = ""
    default_type: str = ""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A parsed envelope. Provider, type and `key` identify what was delivered. `key` is the conversation's id, or the
    digest of the bytes if there is none. Of two deliveries of the same thing the fuller one counts."""

    provider: str
    event_type: str
    key: str
    makes: Makes
    completeness: int
    data: Mapping[str, Any]
    sent_at: datetime | None = None
    long_texts: Mapping[str, LongText] = field(default_factory=dict)

    def text_pieces(self, name: str) -> Iterator[bytes]:
        """A text field of the data in pieces; none if the field is not text."""
        text = fields.text(self.data, name, limit=1 << 31)
        long_text = self.long_texts.get(text)
        return iter((text.encode(),)) if long_text is None else long_text.pieces()


def parse_envelope(
    provider: str, shape: Shape, body: bytes, long_texts: Mapping[str, LongText] | None = None
) -> Envelope:
    """The envelope in these bytes; InvalidArgument("webhook_payload_invalid") if they hold none."""
    document = _json_object(body)
    event_type = fields.at(document, shape.type_name)
    event_type = shape.default_type if event_type is None and shape.default_type else event_type
    if not isinstance(event_type, str) or not 0 < len(event_type) <= _MAX_NAME:
        _refuse(f"The envelope has no {shape.type_name}.")
    makes = shape.makes.get(event_type, Makes.NOTHING)
    data = fields.at(document, shape.data_name)
    if not isinstance(data, dict):
        if makes is not Makes.NOTHING:
            _refuse(f"The envelope has no {shape.data_name} object.")
        data = {}
    key = fields.at(data, shape.key_name)
    if not isinstance(key, str) or not 0 < len(key) <= _MAX_NAME:
        if makes is not Makes.NOTHING:
            _refuse(f"The envelope's {shape.data_name} names no {shape.key_name}.")
        key = "sha256:" + hashlib.sha256(body).hexdigest()
    completeness = shape.completeness(event_type, data) if makes is Makes.CALL else 0
    return Envelope(
        provider=provider,
        event_type=fields.storable(event_type),
        key=fields.storable(key),
        makes=makes if completeness is not None else Makes.NOTHING,
        completeness=completeness or 0,
        data=data,
        sent_at=fields.moment(fields.number(document, shape.sent_name)),
        long_texts=long_texts or {},
    )


def refuse_audio(envelope: Envelope) -> Iterator[bytes]:
    """The reader of recordings of a provider whose webhooks carry none."""
    _refuse("Webhooks of this provider carry no recording.")


def ranked(rank: int, turns: int) -> int:
    return rank * RANK_STEP + min(turns, RANK_STEP - 1)


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        _refuse("The body is not JSON in UTF-8.")
    if not isinstance(document, dict):
        _refuse("The body is not a JSON object.")
    return document


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _refuse(detail: str) -> NoReturn:
    raise InvalidArgument("webhook_payload_invalid", detail)
