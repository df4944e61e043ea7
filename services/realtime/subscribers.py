"""Realtime subscribes to every event of the suite. Those that customers are told are written to the event log and,
after the commit, published to the instances with sockets. A few have further effects: owners are stored, and mails are
sent.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence

from echosenseix.events.v1 import events_pb2
from libs.bus import Bus, subjects
from libs.clock import rfc3339_ms, utcnow
from libs.events import Handler, ReceivedEvent, Subscriptions, Together
from libs.events.topics import LOGGED
from libs.postgres import Connection, after_commit
from services.realtime import operations
from services.realtime.domain.history import Published
from services.realtime.domain.mail import MailRequest
from services.realtime.protocol.hub import encode_publication, publication_subject
from services.realtime.protocol.revocation import revocation
from services.realtime.storage import opt_outs, owners
from suite.mails import MailTemplate


class Subscribers:
    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def handlers(self) -> Subscriptions:
        return {**dict.fromkeys(LOGGED, Together(self.on_events)), "mail.requested": on_mail}

    async def on_events(self, conn: Connection, events: Sequence[ReceivedEvent]) -> None:
        places = await operations.log_events(conn, events[0].org_id, events)
        for event in events:
            if react := REACTIONS.get(event.topic):
                await react(conn, event)

        async def tell() -> None:
            await self._publish(events, places)

        after_commit(conn, tell)

    async def _publish(self, events: Sequence[ReceivedEvent], places: Sequence[tuple[str, Published]]) -> None:
        """These messages may be lost: listeners find the gap and read the log."""
        for channel, published in places:
            subject = publication_subject(events[0].org_id, channel)
            await self._bus.publish_core(subject, encode_publication(published))
        now = utcnow()
        for event in events:
            if message := revocation(event, now):
                await self._bus.publish_core(subjects.REALTIME_REVOKED, json.dumps(message).encode())


async def on_credit_low(conn: Connection, event: ReceivedEvent) -> None:
    credit = event.read(events_pb2.CreditChanged)
    values = {"availableMicros": str(credit.available_micros), "currency": credit.currency}
    await operations.write_to_owners(conn, event.org_id, MailTemplate.CREDIT_LOW, values, about=event.org_id)


async def on_user(conn: Connection, event: ReceivedEvent) -> None:
    user = event.read(events_pb2.UserChanged)
    if user.role == "owner" and event.topic != "user.removed":
        await owners.remember(conn, event.org_id, user.user_id, user.email)
    else:
        await owners.forget(conn, event.org_id, user.user_id)
    if event.topic == "user.removed":
        await opt_outs.forget(conn, event.org_id, user.user_id)


async def on_host_missing(conn: Connection, event: ReceivedEvent) -> None:
    host = event.read(events_pb2.WhiteLabelHostChanged)
    values = {"host": host.host} | {
        name: rfc3339_ms(moment.ToDatetime(datetime.UTC))
        for name, moment in (("since", host.missing_since), ("until", host.lost_after))
    }
    template, about = MailTemplate.WHITE_LABEL_HOST_MISSING, host.white_label_host_id
    await operations.write_to_owners(conn, event.org_id, template, values, about=about)


async def on_mail(conn: Connection, event: ReceivedEvent) -> None:
    asked = event.read(events_pb2.MailRequested)
    request = MailRequest(asked.template, asked.address, asked.about, dict(asked.values))
    await operations.write_to_address(conn, event.org_id, request)


REACTIONS: Mapping[str, Handler] = {
    "credit.low": on_credit_low,
    "white_label_host.missing": on_host_missing,
    **dict.fromkeys(("user.created", "user.updated", "user.removed"), on_user),
}
