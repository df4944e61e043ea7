"""The envelope of an inbound webhook: what is kept of it, and when two deliveries are the same thing.

Signed bytes that are no envelope are refused; a type that nobody knows is kept and left alone.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn

from libs.errors import InvalidArgument
from services.calllog.domain import fields

TRANSCRIPTION = "post_call_transcription"
AUDIO = "post_call_audio"
INITIATION_FAILURE = "call_initiation_failure"
_OF_CALLS = frozenset({TRANSCRIPTION, AUDIO, INITIATION_FAILURE})
_MAX_NAME = 200

# Reports of one call in rising order of what they know, so far apart that the number of turns orders within a rank.
_RANK_STEP = 100_000
_RANKS = {"initiated": 0, "in-progress": 1, "processing": 2, "failed": 4, "done": 5}
INITIATION_FAILURE_RANK = 3 * _RANK_STEP


@dataclass(frozen=True, slots=True)
class Envelope:
    """A parsed envelope. `key` with provider and type names the thing delivered: the conversation, or for envelopes
    without one the digest of their bytes. Of two deliveries of the same thing the fuller one counts."""

    provider: str
    event_type: str
    key: str
    completeness: int
    data: Mapping[str, Any]
    sent_at: datetime | None = None

    @property
    def makes_call(self) -> bool:
        """Whether a call or its recording is made of it; other types are kept and left alone."""
        return self.event_type in _OF_CALLS

    @property
    def makes_recording(self) -> bool:
        return self.event_type == AUDIO


def parse_envelope(provider: str, body: bytes) -> Envelope:
    """The envelope in these bytes; InvalidArgument("webhook_payload_invalid") when they hold none."""
    document = _json_object(body)
    event_type = document.get("type")
    if not isinstance(event_type, str) or not 0 < len(event_type) <= _MAX_NAME:
        _refuse("The envelope has no type.")
    data = document.get("data")
    if not isinstance(data, dict):
        _refuse("The envelope has no data object.")
    key = data.get("conversation_id")
    if not isinstance(key, str) or not 0 < len(key) <= _MAX_NAME:
        if event_type in _OF_CALLS:
            _refuse("The envelope's data names no conversation_id.")
        key = "sha256:" + hashlib.sha256(body).hexdigest()
    sent_at = fields.moment(fields.number(document, "event_timestamp"))
    rank = completeness(event_type, data)
    return Envelope(provider, fields.storable(event_type), fields.storable(key), rank, data, sent_at)


def completeness(event_type: str, data: Mapping[str, Any]) -> int:
    """How much a report of this type and content knows of its call."""
    if event_type == INITIATION_FAILURE:
        return INITIATION_FAILURE_RANK
    if event_type != TRANSCRIPTION:
        return 0
    rank = _RANKS.get(fields.text(data, "status"), _RANKS["done"])
    return rank * _RANK_STEP + min(sum(1 for _ in fields.items(data, "transcript")), _RANK_STEP - 1)


def wrap_conversation(conversation: Mapping[str, Any]) -> bytes:
    """The envelope that a webhook would have carried for a conversation fetched from the provider."""
    return json.dumps({"type": TRANSCRIPTION, "data": conversation}, separators=(",", ":")).encode()


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
