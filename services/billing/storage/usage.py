"""Usage events: written once, distinguished by id and digest, listed. Their ratings are written with their postings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from libs.paging import CursorCodec, ListRules, Page, PageRequest
from libs.postgres import Connection, Database, Record
from libs.postgres.listing import Filter, Listing, fetch_page
from services.billing.domain.usage import Meter, UsageEvent

USAGE_EVENT_LIST = ListRules(sorts={"createdAt": "u.created_at"})
_COLUMNS = "u.id, u.meter, u.event_time, u.quantity_micros, u.subject, u.properties, u.call_id, u.created_at"
_LISTING = Listing(
    _COLUMNS, "usage_event u", USAGE_EVENT_LIST, tie="u.id", org="u.org_id", created="u.created_at", may_lag=True
)
_METERS = "select m.name, m.unit, m.description from meter m order by m.name"
# In the order of ids, so that two batches with the same ids wait for each other instead of deadlocking.
_ADD = """
insert into usage_event (org_id, id, meter, event_time, quantity_micros, subject, properties, agent_id, provider,
    call_id, digest, created_at)
select $1, e.id, e.meter, e.event_time, e.quantity, e.subject, e.properties::jsonb, e.agent_id, e.provider, e.call_id,
    e.digest, $12
from unnest($2::text[], $3::text[], $4::timestamptz[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::text[],
    $10::text[], $11::bytea[])
    as e(id, meter, event_time, quantity, subject, properties, agent_id, provider, call_id, digest)
order by e.id
on conflict do nothing
returning id"""
# Only for ids that were not added: most batches are new and skip it.
_DIGESTS = "select u.id, u.digest from usage_event u where u.org_id = $1 and u.id = any($2::text[])"
# By key and not by offset: events rated meanwhile would shift the pages.
_UNRATED = f"""
select {_COLUMNS} from usage_event u
where u.org_id = $1 and ($2::text[] is null or u.id = any($2::text[]))
    and ($4::timestamptz is null or (u.event_time, u.id) > ($4, $5))
    and not exists (select 1 from usage_rating r where r.org_id = u.org_id and r.usage_event_id = u.id)
order by u.event_time, u.id limit $3"""
_ORGS_UNRATED = """
select distinct u.org_id from usage_event u
where u.created_at >= $1 and u.created_at < $2
    and not exists (select 1 from usage_rating r where r.org_id = u.org_id and r.usage_event_id = u.id)"""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The result of recording: the new events, and the ids that are known with another body."""

    added: list[UsageEvent]
    conflicting: list[str]


class Usage:
    def __init__(self, db: Database, cursors: CursorCodec) -> None:
        self._db = db
        self._cursors = cursors

    async def meters(self) -> list[Meter]:
        """The known meters by name, the same for every organization."""
        rows = await self._db.system_fetch(_METERS)
        return [Meter(row["name"], row["unit"], row["description"]) for row in rows]

    async def record(self, conn: Connection, org_id: str, events: Sequence[UsageEvent], now: datetime) -> Recorded:
        """Add the events that are new. Ids must be distinct."""
        rows = await conn.fetch(_ADD, org_id, *_event_columns(events), now)
        added = {row["id"] for row in rows}
        told = [event for event in events if event.id not in added]
        return Recorded(
            added=[event for event in events if event.id in added],
            conflicting=await self._conflicting(conn, org_id, told) if told else [],
        )

    async def unrated(
        self, conn: Connection, org_id: str, ids: Sequence[str] | None, after: UsageEvent | None, limit: int = 1_000
    ) -> list[UsageEvent]:
        """Events without a rating, of these ids or all, in their order; asked under the account's lock."""
        wanted = list(ids) if ids is not None else None
        begin = (after.event_time, after.id) if after else (None, None)
        rows = await conn.fetch(_UNRATED, org_id, wanted, limit, *begin)
        return [_event_from_row(row) for row in rows]

    async def organizations_with_unrated(self, start: datetime, end: datetime) -> list[str]:
        """Over all organizations: who has events recorded in the window that no job has rated."""
        return [row["org_id"] for row in await self._db.system_fetch(_ORGS_UNRATED, start, end)]

    async def page(self, org_id: str, request: PageRequest, meter: str) -> Page[UsageEvent]:
        filters: list[Filter] = [("u.meter = {}", meter)] if meter else []
        page = await fetch_page(self._db, org_id, _LISTING, request, filters, self._cursors)
        return page.map(_event_from_row)

    async def _conflicting(self, conn: Connection, org_id: str, told: Sequence[UsageEvent]) -> list[str]:
        rows = await conn.fetch(_DIGESTS, org_id, [event.id for event in told])
        known = {row["id"]: bytes(row["digest"]) for row in rows}
        return [event.id for event in told if known.get(event.id) != event.digest]


def _event_columns(events: Sequence[UsageEvent]) -> list[list[object]]:
    rows = (
        (
            event.id, event.meter, event.event_time, event.quantity_micros, event.subject,
            json.dumps(dict(event.properties)), event.agent_id, event.provider, event.call_id, event.digest,
        )
        for event in events
    )  # fmt: skip
    return [list(column) for column in zip(*rows, strict=True)]


def _event_from_row(row: Record) -> UsageEvent:
    return UsageEvent(
        id=row["id"],
        meter=row["meter"],
        event_time=row["event_time"],
        quantity_micros=row["quantity_micros"],
        subject=row["subject"],
        properties=json.loads(row["properties"]),
        call_id=row["call_id"],
        created_at=row["created_at"],
    )
