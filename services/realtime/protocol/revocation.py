"""Ending connections whose session or API key was revoked: what is told to every instance, and whom it means. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.realtime.protocol.tokens import Grant

REVOKING_TOPICS = ("session.revoked", "api_key.revoked")


def revocation(topic: str, org_id: str, data: Mapping[str, Any]) -> dict[str, str] | None:
    """The message for the instances, or None when the event revokes nothing."""
    if topic == "session.revoked":
        return {"org": org_id, "session": data["sessionId"]}
    if topic == "api_key.revoked":
        return {"org": org_id, "key": data["apiKeyId"]}
    return None


def concerns(message: Mapping[str, str], grant: Grant | None) -> bool:
    if grant is None or grant.org_id != message["org"]:
        return False
    session, key = message.get("session"), message.get("key")
    return bool((session and grant.session_id == session) or (key and grant.api_key_id == key))
