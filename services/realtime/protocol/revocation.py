"""Ending connections whose session or API key was revoked, whose key has a new secret, whose user may do something else
now, or whose organization was closed: the message to every instance, and which connections it concerns. Pure.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Mapping

from echosenseix.events.v1 import events_pb2
from libs.cache.classes import SESSION
from libs.events import ReceivedEvent
from services.realtime.protocol.tokens import EVER, Grant

Revocation = dict[str, str]
# For how long gateways remember a principal, in whole seconds. Shorter: a token that was issued meanwhile with rights
# of before lives its five minutes. It begins when the change is logged here: its commit, which gateways see, may come
# long after the time that the event names.
_REMEMBERED = datetime.timedelta(seconds=math.ceil(SESSION.bound_seconds))


def revocation(event: ReceivedEvent, logged_at: datetime.datetime) -> Revocation | None:
    """The message for the instances, or None when the event revokes nothing. `logged_at`: when the event, which was
    committed before, came here."""
    revoke = _REVOCATIONS.get(event.topic)
    return revoke(event, max(logged_at, event.time)) if revoke else None


def _of_session(event: ReceivedEvent, logged_at: datetime.datetime) -> Revocation:
    return {"org": event.org_id, "session": event.read(events_pb2.SessionRevoked).session_id}


def _of_key(event: ReceivedEvent, logged_at: datetime.datetime) -> Revocation:
    return {"org": event.org_id, "key": event.read(events_pb2.ApiKeyChanged).api_key_id}


def _of_secret(event: ReceivedEvent, logged_at: datetime.datetime) -> Revocation:
    """A rotation ends what was issued until then, and leaves what the new secret gets afterwards."""
    return {**_of_key(event, logged_at), "before": event.time.isoformat()}


def _of_user(event: ReceivedEvent, logged_at: datetime.datetime) -> Revocation | None:
    """What was issued until the change has settled names rights that the user may have lost; it can connect anew with
    those it has."""
    user = event.read(events_pb2.UserChanged)
    if not user.access_changed:
        return None
    return {"org": event.org_id, "user": user.user_id, "before": _settled(logged_at)}


def _of_organization(event: ReceivedEvent, logged_at: datetime.datetime) -> Revocation | None:
    changed = event.read(events_pb2.OrganizationChanged)
    if not changed.access_changed:
        return None
    return {"org": event.org_id, "organization": event.org_id, "before": _settled(logged_at)}


def _settled(logged_at: datetime.datetime) -> str:
    """Until then a gateway may issue tokens by what it remembers of the caller."""
    return (logged_at + _REMEMBERED).isoformat()


_REVOCATIONS: Mapping[str, Callable[[ReceivedEvent, datetime.datetime], Revocation | None]] = {
    "session.revoked": _of_session,
    "api_key.revoked": _of_key,
    "api_key.rotated": _of_secret,
    "user.updated": _of_user,
    "user.removed": _of_user,
    "org.updated": _of_organization,
}
REVOKING_TOPICS = tuple(_REVOCATIONS)


def revoked_before(message: Mapping[str, str]) -> datetime.datetime:
    """Tokens issued until then are revoked."""
    return datetime.datetime.fromisoformat(message["before"]) if "before" in message else EVER


def revoked_id(message: Mapping[str, str]) -> str:
    """The session, the API key, the user or the organization that the message is about."""
    return message.get("session") or message.get("key") or message.get("user") or message["organization"]


def concerns(message: Mapping[str, str], grant: Grant | None) -> bool:
    if grant is None or grant.issued_at > revoked_before(message):
        return False
    return (message["org"], revoked_id(message)) in grant.depends_on
