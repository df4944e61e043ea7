"""RealtimeService: connection tokens, the event log, presence, the mailbox."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Sequence

from echosenseix.realtime.v1 import realtime_pb2 as pb
from echosenseix.realtime.v1 import realtime_pb2_grpc as pb_grpc
from libs.clock import utcnow
from libs.errors import PermissionDenied, invalid_parameter, parameter_out_of_range
from libs.ids import is_id
from libs.postgres import Record
from libs.rpc.context import current_principal, require_scope
from libs.rpc.paging import page_info_to_proto, page_request_from_proto
from libs.rpc.times import to_timestamp
from services.realtime.config import RealtimeSettings
from services.realtime.domain.channels import LOG, has_presence, is_channel_name, may_listen, organization_channels
from services.realtime.domain.history import is_position
from services.realtime.mapping import (
    mail_to_proto,
    record_to_proto,
)
from services.realtime.protocol.hearing import heard_topics
from services.realtime.protocol.presence import Presence
from services.realtime.protocol.tokens import TOKEN_LIFETIME, ConnectionTokens, Grant
from services.realtime.storage.event_log import EventLog
from services.realtime.storage.mailbox import MAIL_LIST, Mailbox
from suite.tables import UNREGISTERED

# Rows of a page of events.
_MAX_EVENTS = 200
# Positions of the log that a request of a limited caller looks through. More: fewer requests, each a longer statement.
_LOOKED_THROUGH = 10_000


class RealtimeServicer(pb_grpc.RealtimeServiceServicer):
    def __init__(
        self, settings: RealtimeSettings, log: EventLog, mailbox: Mailbox, tokens: ConnectionTokens, presence: Presence
    ) -> None:
        self._settings = settings
        self._presence = presence
        self._log = log
        self._mailbox = mailbox
        self._tokens = tokens

    async def CreateConnectionToken(
        self, request: pb.CreateConnectionTokenRequest, context: object
    ) -> pb.CreateConnectionTokenResponse:
        require_scope("realtime:read")
        who = current_principal()
        now = utcnow()
        expires_at = now + TOKEN_LIFETIME
        if who.expires_at:  # a token outlives neither its session nor its key
            expires_at = min(expires_at, datetime.datetime.fromtimestamp(who.expires_at, datetime.UTC))
        grant = Grant(
            who.org_id, who.user_id, who.session_id, who.api_key_id, frozenset(who.scopes), expires_at, now,
            who.home_org_id, None if who.grants is None else who.grants.readable,
        )  # fmt: skip
        # A load balancer may hash by `u`, so that all sockets of one user reach the same instance.
        user = hashlib.sha256(f"{who.org_id}/{who.user_id}".encode()).hexdigest()[:16]
        return pb.CreateConnectionTokenResponse(
            token=self._tokens.issue(grant),
            expire_time=to_timestamp(expires_at),
            url=f"{self._settings.public_url}/connection/websocket?u={user}",
            events_url=f"{self._settings.events_public_url}/api/events/stream",
            channels=organization_channels(who.org_id, who.scopes, limited=who.grants is not None),
        )

    async def ListEvents(self, request: pb.ListEventsRequest, context: object) -> pb.ListEventsResponse:
        require_scope("realtime:read")
        limit = request.limit or 50
        if not 1 <= limit <= _MAX_EVENTS:
            raise invalid_parameter("limit", f"Set limit to a whole number from 1 to {_MAX_EVENTS}.")
        who = current_principal()
        org_id = who.org_id
        types = heard_topics(who.scopes, tuple(request.types), limited=who.grants is not None)
        after = await self._position(org_id, request.after)
        if after and (expired := await self._expiry(org_id, after)):
            detail = f"{expired} Leave out after to begin at the oldest."
            raise parameter_out_of_range("after", detail, "position_expired")
        if who.grants is not None:
            return await self._events_of_agents(org_id, after, limit, types, who.grants.readable)
        rows = await self._log.read_log(org_id, LOG, after, limit + 1, types)
        return pb.ListEventsResponse(events=_records(rows[:limit]), has_more=len(rows) > limit)

    async def _events_of_agents(
        self, org_id: str, after: int, limit: int, types: list[str], agents: frozenset[str]
    ) -> pb.ListEventsResponse:
        """A caller may read few of many events, so a request looks through a part of the log and says how far."""
        if not agents:
            return pb.ListEventsResponse()
        after = max(after, await self._log.oldest(org_id, LOG) - 1)
        top = await self._log.top(org_id, LOG)
        until = min(after + _LOOKED_THROUGH, top)
        rows = await self._log.read_log(org_id, LOG, after, limit + 1, types, sorted(agents), until)
        if len(rows) > limit:
            return pb.ListEventsResponse(events=_records(rows[:limit]), has_more=True)
        return pb.ListEventsResponse(events=_records(rows), has_more=until < top, reached=until)

    async def _expiry(self, org_id: str, after: int) -> str:
        """Why nothing follows the position; empty: it is one of this log."""
        if after + 1 < await self._log.oldest(org_id, LOG):
            return "Events after this position are gone."
        # A position of a log that was restored since: silence would last until the log has grown as long again.
        return "The log ends before this position." if after > await self._log.top(org_id, LOG) else ""

    async def _position(self, org_id: str, after: str) -> int:
        if not after:
            return 0
        if is_position(after):
            return int(after)
        position = await self._log.position_of(org_id, LOG, after) if is_id(after, "evt") else None
        if position is None:
            raise invalid_parameter("after", "Set after to a position or an id of an event that is still kept.")
        return position

    async def ListPresence(self, request: pb.ListPresenceRequest, context: object) -> pb.ListPresenceResponse:
        require_scope("realtime:read")
        who = current_principal()
        if request.channel:
            channels = [_audible(request.channel)]
        else:
            channels = [name for name in organization_channels(who.org_id, who.scopes) if has_presence(name)]
        clients: list[pb.PresentClient] = []
        for channel in channels:
            found = await self._presence.clients((who.org_id, channel))
            clients += (
                pb.PresentClient(channel=channel, client_id=info.client, user_id=info.user) for info in found.values()
            )
        return pb.ListPresenceResponse(clients=clients)

    async def ListMail(self, request: pb.ListMailRequest, context: object) -> pb.ListMailResponse:
        require_scope("members:read")
        if request.unregistered and self._settings.production:
            raise invalid_parameter("unregistered", "Only a local suite shows mails to addresses without an account.")
        org_id = UNREGISTERED if request.unregistered else current_principal().org_id
        page = await self._mailbox.list(org_id, page_request_from_proto(request.page, MAIL_LIST))
        return pb.ListMailResponse(mails=map(mail_to_proto, page.items), page_info=page_info_to_proto(page))


def _audible(channel: str) -> str:
    """A channel with presence that the caller may listen to."""
    who = current_principal()
    if not is_channel_name(channel) or not has_presence(channel):
        raise invalid_parameter("channel", "Name a channel with presence: org:<id>:<area>, call:<id> or user:<id>.")
    if not may_listen(channel, org_id=who.org_id, user_id=who.user_id, scopes=who.scopes):
        raise PermissionDenied("channel_denied", "You may not listen to this channel.")
    return channel


def _records(rows: Sequence[Record]) -> list[pb.EventRecord]:
    return [record_to_proto(dict(row), LOG) for row in rows]
