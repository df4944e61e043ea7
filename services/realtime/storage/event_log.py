"""The event log: append an event to its channels, and read a channel from a position on."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Iterable, Sequence

from libs.events import ReceivedEvent
from libs.postgres import Connection, Database, Record
from services.realtime.domain.channels import LOG
from services.realtime.domain.history import History, Logged, Published

# Names are sorted so that two writers lock channels in one order. A channel gives its next positions to its events in
# their order.
_APPEND = """
with logged as (
    insert into event (org_id, id, type, subject, occurred_at, envelope)
    select $1, e.id, e.type, e.subject, e.occurred_at, e.envelope::jsonb
    from unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[])
        as e (id, type, subject, occurred_at, envelope)
), wanted as (
    select w.name, w.event_id, w.n from unnest($7::text[], $8::text[]) with ordinality as w (name, event_id, n)
), counted as (
    select w.name, count(*) as events from wanted w group by w.name
), bumped as (
    insert into channel (org_id, name, top)
    select $1, c.name, c.events from counted c order by c.name
    on conflict (org_id, name) do update set top = channel.top + excluded.top
    returning name, top
)
insert into publication (org_id, channel, position, event_id)
select $1, w.name, b.top - c.events + row_number() over (partition by w.name order by w.n), w.event_id
from wanted w join counted c on c.name = w.name join bumped b on b.name = w.name
returning channel, position, event_id,
    exists (select from webhook_endpoint e where e.org_id = $1 and e.status = 'enabled') as has_endpoints
"""

_TOP = """
select l.epoch, coalesce((select c.top from channel c where c.org_id = o.org and c.name = $2), 0) as top
from log_epoch l
"""

_READ = """
select p.position, e.type, e.envelope::text as envelope
from publication p join event e on e.org_id = p.org_id and e.id = p.event_id
where p.org_id = o.org and p.channel = $2 and p.position {beyond} $3 and p.position <= $5
order by p.position {way} limit $4
"""
_AFTER, _BEFORE = _READ.format(beyond=">", way="asc"), _READ.format(beyond="<", way="desc")

_LOG_AFTER = """
select p.position, e.id, e.type, e.subject, e.occurred_at, e.envelope::text as envelope
from publication p join event e on e.org_id = p.org_id and e.id = p.event_id
where p.org_id = o.org and p.channel = $2 and p.position > $3 and p.position <= $7 and e.type = any($5::text[])
    and ($6::text[] is null or e.envelope -> 'data' ->> 'agentId' = any($6))
order by p.position limit $4
"""

# No position is beyond it: the largest bigint of PostgreSQL.
_LAST = 2**63 - 1

_POSITION_OF = "select p.position from publication p where p.org_id = o.org and p.channel = $2 and p.event_id = $3"

_OLDEST = """
select coalesce(
    (select p.position from publication p where p.org_id = o.org and p.channel = $2 order by p.position limit 1),
    (select c.top + 1 from channel c where c.org_id = o.org and c.name = $2), 1) as oldest
"""

_TOPS = """
select c.org_id, c.name, c.top
from channel c
join unnest($1::text[], $2::text[]) as wanted (org_id, name) on c.org_id = wanted.org_id and c.name = wanted.name
"""

_SINCE = "select e.created_at, e.envelope::text as envelope from event e where e.created_at > $1 and e.type = any($2)"

# Ids sort by the time of the event, and the primary key begins with them.
_RANGE = """
from event e join publication p on p.org_id = e.org_id and p.event_id = e.id and p.channel = $5
where e.org_id = o.org and e.id > $2 and e.id < $3 and e.type = any($4::text[])
"""

_SWEEP = """
with old as (
    select org_id, id from event where created_at < $1 order by created_at limit $2
), gone as (
    delete from publication p using old where p.org_id = old.org_id and p.event_id = old.id
)
delete from event e using old where e.org_id = old.org_id and e.id = old.id
"""


@dataclasses.dataclass(frozen=True, slots=True)
class LoggedEvent:
    """An event with its place in the organization's log and its envelope as JSON."""

    id: str
    type: str
    position: int
    envelope: str


async def append(conn: Connection, org_id: str, events: Sequence[Logged]) -> tuple[list[tuple[str, Published]], bool]:
    """Log each event once and give it the next offset of each of its channels, inside the caller's transaction. Returns
    the publications with their channels, in the order of each channel, and whether an endpoint is enabled."""
    known = {event.envelope["id"]: event for event in events}
    rows = (
        (event_id, event.envelope["type"], event.envelope["subject"], event.occurred_at, event.data.decode())
        for event_id, event in known.items()
    )
    columns = [list(column) for column in zip(*rows, strict=True)]
    wanted = [(channel, event_id) for event_id, event in known.items() for channel in event.channels]
    places = await conn.fetch(_APPEND, org_id, *columns, [name for name, _ in wanted], [of for _, of in wanted])
    published = [
        (place["channel"], Published(place["position"], event.data, event.envelope["type"]))
        for place in sorted(places, key=lambda place: place["position"])
        for event in (known[place["event_id"]],)
    ]
    return published, any(place["has_endpoints"] for place in places)


class EventLog:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, org_id: str, channel: str, after: int, limit: int) -> History:
        """Epoch and top of the channel, then up to `limit` publications after the position and not above that top.

        The top is read first: below it the log is complete, because offsets commit in their order.
        """
        epoch, top = await self._head(org_id, channel)
        return History(epoch, top, await self._read(_AFTER, org_id, channel, after, limit, top))

    async def read_back(self, org_id: str, channel: str, before: int, limit: int) -> History:
        """The same backwards: the newest publications before the position, or before the end where it is 0."""
        epoch, top = await self._head(org_id, channel)
        return History(epoch, top, await self._read(_BEFORE, org_id, channel, before or top + 1, limit, top))

    async def _head(self, org_id: str, channel: str) -> tuple[str, int]:
        row = await self._database.fetchrow(org_id, _TOP, channel)
        if row is None:
            raise RuntimeError("log_epoch lost its only row")
        return row["epoch"], row["top"]

    async def _read(
        self, sql: str, org_id: str, channel: str, bound: int, limit: int, top: int
    ) -> tuple[Published, ...]:
        rows = await self._database.fetch(org_id, sql, channel, bound, limit, top) if limit else []
        return tuple(Published(row["position"], row["envelope"].encode(), row["type"]) for row in rows)

    async def read_log(
        self, org_id: str, channel: str, after: int, limit: int, types: Sequence[str],
        agent_ids: Sequence[str] | None = None, until: int = _LAST,
    ) -> list[Record]:  # fmt: skip
        """`agent_ids`: events about these agents alone; `until`: up to this position."""
        asked = (channel, after, limit, list(types), agent_ids, until)
        return list(await self._database.fetch(org_id, _LOG_AFTER, *asked))

    async def top(self, org_id: str, channel: str) -> int:
        """The position of the newest event; below it the log is complete."""
        return (await self._head(org_id, channel))[1]

    async def position_of(self, org_id: str, channel: str, event_id: str) -> int | None:
        row = await self._database.fetchrow(org_id, _POSITION_OF, channel, event_id)
        return None if row is None else int(row["position"])

    async def oldest(self, org_id: str, channel: str) -> int:
        """The position of the oldest event that is kept; where none is kept, that of the next one."""
        return int(await self._database.fetchval(org_id, _OLDEST, channel))

    async def since(
        self, types: Sequence[str], moment: datetime.datetime
    ) -> list[tuple[ReceivedEvent, datetime.datetime]]:
        """The events of these types that any organization logged after the moment, and when."""
        rows = await self._database.system_fetch(_SINCE, moment, list(types))
        return [(ReceivedEvent.of(json.loads(row["envelope"])), row["created_at"]) for row in rows]

    async def tops(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
        """Tops of channels of any organization: one statement for all that an instance serves."""
        wanted = list(keys)
        organizations, names = [key[0] for key in wanted], [key[1] for key in wanted]
        rows = await self._database.system_fetch(_TOPS, organizations, names)
        return {(row["org_id"], row["name"]): row["top"] for row in rows}


async def count_range(
    database: Database, org_id: str, after: str, before: str, types: Sequence[str], most: int = 2**31
) -> int:
    """How many logged events of these types have an id between the two; counting stops at `most`."""
    sql = f"select count(*) from (select 1 {_RANGE} limit $6) found"
    return int(await database.fetchval(org_id, sql, after, before, list(types), LOG, most))


async def read_range(
    database: Database, org_id: str, after: str, before: str, types: Sequence[str], limit: int
) -> list[LoggedEvent]:
    """The first of them, in the order of their ids."""
    sql = f"select e.id, e.type, p.position, e.envelope::text as envelope {_RANGE} order by e.id limit $6"
    rows = await database.fetch(org_id, sql, after, before, list(types), LOG, limit)
    return [LoggedEvent(row["id"], row["type"], row["position"], row["envelope"]) for row in rows]


async def sweep(conn: Connection, older_than: datetime.datetime, limit: int) -> int:
    """Delete a batch of events past retention; returns how many."""
    return await conn.change(_SWEEP, older_than, limit)
