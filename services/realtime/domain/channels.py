"""Channels: their names, their access rule, and which of them an event appears in. Pure.

A channel lives inside its organization: two organizations' `call:<id>` are two channels, so a foreign name is
merely empty.
"""

from __future__ import annotations

import re
from collections.abc import Set

from suite.services import AGENT, BILLING, CALLLOG, IDENTITY, INTEGRATIONS, KNOWLEDGE, REALTIME, SERVICES

# Characters of a channel: the limit of Centrifugo.
MAX_NAME_LENGTH = 255

# The organization's whole log, in commit order. Read by GET /api/events and server-sent events, never a socket's
# channel.
LOG = "log"

_NAME = re.compile(r"[A-Za-z0-9_:\-]+\Z")
# The areas whose events have a channel of the organization: `org:<id>:<area>`.
_AREA_SCOPES = {
    area: f"{area}:read"
    for area in (CALLLOG.area, AGENT.area, KNOWLEDGE.area, BILLING.area, INTEGRATIONS, IDENTITY.area)
}
# Those whose events all name an agent, so that a caller with grants hears a part of them.
_AGENT_AREAS = (CALLLOG.area, AGENT.area)
# The channel of all of an organization's jobs, whose areas they may belong to.
_JOBS = "jobs"
_JOB_SCOPES = frozenset(f"{service.area}:read" for service in SERVICES.values())
_ENTITY_SERVICES = {
    "call": CALLLOG,
    "agent": AGENT,
    "integration": AGENT,
    "document": KNOWLEDGE,
    "entry": KNOWLEDGE,
    "usage": BILLING,
    "credit": BILLING,
    "org": IDENTITY,
    "user": IDENTITY,
    "api_key": IDENTITY,
    "session": IDENTITY,
    "white_label_host": IDENTITY,
    "webhook": REALTIME,
    "webhook_endpoint": REALTIME,
}
# An event needs the scope that reads what it is about: one rule for the log, streams, sockets and webhook endpoints.
_ENTITY_SCOPES = {entity: f"{service.events_area}:read" for entity, service in _ENTITY_SERVICES.items()}
_ENTITY_SCOPES["integration"] = f"{INTEGRATIONS}:read"
_EVERYTHING = "*"


def scope_of_event(topic: str) -> str:
    """The scope that events of this topic need; "*" for a topic that no area owns."""
    return _ENTITY_SCOPES.get(topic.partition(".")[0], _EVERYTHING)


def may_hear(topic: str, scopes: Set[str]) -> bool:
    """Whether these scopes include events of this topic."""
    return _granted(scope_of_event(topic), scopes)


def is_channel_name(name: str) -> bool:
    return 0 < len(name) <= MAX_NAME_LENGTH and _NAME.match(name) is not None


def channels_of_event(topic: str, org_id: str, key: str, user_id: str = "") -> list[str]:
    """Every channel that shows an event about `key`: the log, the area of the organization, the call. `user_id` is the
    user that an identity event names, who hears of it."""
    channels = [LOG]
    entity = topic.partition(".")[0]
    service = _ENTITY_SERVICES.get(entity)
    area = INTEGRATIONS if entity == "integration" else service.area if service else ""
    if area in _AREA_SCOPES:
        channels.append(f"org:{org_id}:{area}")
    if area == CALLLOG.area:
        channels.append(f"call:{key}")
    if area == IDENTITY.area and is_channel_name(f"user:{user_id}") and user_id:
        channels.append(f"user:{user_id}")
    return channels


def organization_channels(org_id: str, scopes: Set[str], *, limited: bool = False) -> list[str]:
    """The organization's channels that these scopes open; what the token answer lists. `limited`: to a caller that
    hears of some agents alone, here and below."""
    areas = [area for area in (*_AREA_SCOPES, _JOBS) if _opens(area, scopes, limited=limited)]
    return [f"org:{org_id}:{area}" for area in areas]


def may_listen(channel: str, *, org_id: str, user_id: str, scopes: Set[str], limited: bool = False) -> bool:
    """Whether a connection of this organization, user and scopes may subscribe to the channel."""
    kind, _, rest = channel.partition(":")
    if kind == "org":
        owner, _, area = rest.partition(":")
        return owner == org_id and _opens(area, scopes, limited=limited)
    if kind == "call":
        return bool(rest) and _granted("calls:read", scopes)
    if kind == "job":
        return bool(rest) and not limited
    return is_own(channel, user_id)


def is_own(channel: str, user_id: str) -> bool:
    """Whether it is the channel of the user, whose events are about that user."""
    return bool(user_id) and channel == f"user:{user_id}"


def _opens(area: str, scopes: Set[str], *, limited: bool) -> bool:
    if limited and area not in _AGENT_AREAS:
        return False
    return _hears_jobs(scopes) if area == _JOBS else area in _AREA_SCOPES and _granted(_AREA_SCOPES[area], scopes)


def is_positioned(channel: str) -> bool:
    """Whether the channel's publications are in the event log. Job progress is passed on and forgotten."""
    return not is_of_jobs(channel)


def is_of_jobs(channel: str) -> bool:
    kind, _, rest = channel.partition(":")
    return kind == "job" or (kind == "org" and rest.partition(":")[2] == _JOBS)


def has_presence(channel: str) -> bool:
    """Whether it is told who listens. A job's progress has too short a life for it."""
    return is_positioned(channel)


def _hears_jobs(scopes: Set[str]) -> bool:
    return "*" in scopes or scopes >= _JOB_SCOPES


def _granted(scope: str, scopes: Set[str]) -> bool:
    return "*" in scopes or scope in scopes
