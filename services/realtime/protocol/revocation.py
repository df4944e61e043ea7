"""Ending connections whose session or API key was revoked, or whose key has a new secret: the message to every
instance, and which connections it concerns. Pure.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from services.realtime.protocol.tokens import EVER, Grant

REVOKING_TOPICS = ("session.revoked", "api_key.revoked", "api_key.rotated")


def revocation(topic: str, org_id: str, data: Mapping[str, Any], at: datetime.datetime) -> dict[str, str] | None:
    """The message for the instances, or None when the event revokes nothing. `at` is the event's time: a rotation ends
    what was issued until then, and leaves what the new secret gets afterwards."""
    if topic == "session.revoked":
        return {"org": org_id, "session": data["sessionId"]}
    if topic == "api_key.revoked":
        return {"org": org_id, "key": data["apiKeyId"]}
    if topic == "api_key.rotated":
        return {"org": org_id, "key": data["apiKeyId"], "before": at.isoformat()}
    return None


def revoked_before(message: Mapping[str, str]) -> datetime.datetime:
    """Tokens issued until then are revoked."""
    return datetime.datetime.fromisoformat(message["before"]) if "before" in message else EVER


def concerns(message: Mapping[str, str], grant: Grant | None) -> bool:
    if grant is None or grant.org_id != message["org"] or grant.issued_at > revoked_before(message):
        return False
    session, key = message.get("session"), message.get("key")
    return bool((session and grant.session_id == session) or (key and grant.api_key_id == key))
