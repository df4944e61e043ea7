"""Ending connections whose session or API key was revoked, or whose key has a new secret: the message to every
instance, and which connections it concerns. Pure.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping

from echosenseix.events.v1 import events_pb2
from libs.events import ReceivedEvent
from services.realtime.protocol.tokens import EVER, Grant

Revocation = dict[str, str]


def revocation(event: ReceivedEvent) -> Revocation | None:
    """The message for the instances, or None when the event revokes nothing."""
    revoke = _REVOCATIONS.get(event.topic)
    return revoke(event) if revoke else None


def _of_session(event: ReceivedEvent) -> Revocation:
    return {"org": event.org_id, "session": event.read(events_pb2.SessionRevoked).session_id}


def _of_key(event: ReceivedEvent) -> Revocation:
    return {"org": event.org_id, "key": event.read(events_pb2.ApiKeyChanged).api_key_id}


def _of_secret(event: ReceivedEvent) -> Revocation:
    """A rotation ends what was issued until then, and leaves what the new secret gets afterwards."""
    return {**_of_key(event), "before": event.time.isoformat()}


_REVOCATIONS: Mapping[str, Callable[[ReceivedEvent], Revocation]] = {
    "session.revoked": _of_session,
    "api_key.revoked": _of_key,
    "api_key.rotated": _of_secret,
}
REVOKING_TOPICS = tuple(_REVOCATIONS)


def revoked_before(message: Mapping[str, str]) -> datetime.datetime:
    """Tokens issued until then are revoked."""
    return datetime.datetime.fromisoformat(message["before"]) if "before" in message else EVER


def concerns(message: Mapping[str, str], grant: Grant | None) -> bool:
    if grant is None or grant.org_id != message["org"] or grant.issued_at > revoked_before(message):
        return False
    session, key = message.get("session"), message.get("key")
    return bool((session and grant.session_id == session) or (key and grant.api_key_id == key))
