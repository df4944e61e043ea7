"""The event log: append an event to its channels, and read a channel from a position on."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from libs.events import ReceivedEvent
from libs.postgres import Connection, Database, Record
from services.realtime.domain.history import History, Published

_INSERT_EVENT = """
insert into event (org_id, id, type, subject, occurred_at, envelope) values ($1, $2, $3, $4, $5, $6)
"""

# Names are sorted so that two writers lock channels in one order.
_APPEND = """
with bumped as (
    insert into channel (org_id, name, top)
    select $1, name, 1 from unnest($2::text[]) as wanted (name) order by name
    on conflict (org_id, name) do update set top = channel.top + 1
    returning name, top
)
insert into publication (org_id, channel, position, event_id)
select $1, bumped.name, bumped.top, $3 from bumped
returning channel, position
"""

_TOP = """
select l.epoch, coalesce((select c.top from channel c where c.org_id = o.org and c.name = $2), 0) as top
from log_epoch l
"""

_AFTER = """
select p.position, e.type, e.envelope::text as envelope
from publication p join event e on e.org_id = p.org_id and e.id = p.event_id
where p.org_id = o.org and p.channel = $2 and p.position > $3 and p.position <= $5
order by p.position limit $4
"""

_LOG_AFTER = """
select p.position, e.id, e.type, e.subject, e.occurred_at, e.envelope::text as envelope
from publication p join event e on e.org_id = p.org_id and e.id = p.event_id
where p.org_id = o.org and p.channel = $2 and p.position > $3 and e.type = any($5::text[])
order by p.position limit $4
"""

_POSITION_OF = "select p.position from publication p where p.org_id = o.org and p.channel = $2 and p.event_id = $3"

_TOPS = """
select c.org_id, c.name, c.top
from channel c
join unnest($1::text[], $2::text[]) as wanted (org_id, name) on c.org_id = wanted.org_id and c.name = wanted.name
"""

_SINCE = "select e.envelope::text as envelope from event e where e.created_at > $1 and e.type = any($2)"

_SWEEP = """
with old as (
    select org_id, id from event where created_at < $1 order by created_at limit $2
), gone as (
    delete from publication p using old where p.org_id = old.org_id and p.event_id = old.id
)
delete from event e using old where e.org_id = old.org_id and e.id = old.id
"""


async def append(
    conn: Connection,
    org_id: str,
    envelope: Mapping[str, Any],
    data: bytes,
    occurred_at: datetime.datetime,
    channels: Sequence[str],
) -> list[tuple[str, Published]]:
    """Log the event once and give it the next offset of each channel, inside the caller's transaction.

    `data` is the envelope as JSON: encoded once, for the log, the instances and the webhooks.
    """
    row = (org_id, envelope["id"], envelope["type"], envelope["subject"], occurred_at, data.decode())
    await conn.execute(_INSERT_EVENT, *row)
    places = await conn.fetch(_APPEND, org_id, sorted(channels), envelope["id"])
    return [(place["channel"], Published(place["position"], data, envelope["type"])) for place in places]


class EventLog:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, org_id: str, channel: str, after: int, limit: int) -> History:
        """Epoch and top of the channel, then up to `limit` publications after the position and not above that top.

        The top is read first: below it the log is complete, because offsets commit in their order.
        """
        head = await self._database.fetchrow(org_id, _TOP, channel)
        if head is None:
            raise RuntimeError("log_epoch lost its only row")
        rows = await self._database.fetch(org_id, _AFTER, channel, after, limit, head["top"]) if limit else []
        publications = tuple(Published(row["position"], row["envelope"].encode(), row["type"]) for row in rows)
        return History(head["epoch"], head["top"], publications)

    async def read_log(self, org_id: str, channel: str, after: int, limit: int, types: Sequence[str]) -> list[Record]:
        return list(await self._database.fetch(org_id, _LOG_AFTER, channel, after, limit, list(types)))

    async def position_of(self, org_id: str, channel: str, event_id: str) -> int | None:
        row = await self._database.fetchrow(org_id, _POSITION_OF, channel, event_id)
        return None if row is None else int(row["position"])

    async def since(self, types: Sequence[str], moment: datetime.datetime) -> list[ReceivedEvent]:
        """The events of these types that any organization logged after the moment."""
        rows = await self._database.system_fetch(_SINCE, moment, list(types))
        return [ReceivedEvent.of(json.loads(row["envelope"])) for row in rows]

    async def tops(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
        """Tops of channels of any organisation: one statement for all that an instance serves."""
        wanted = list(keys)
        organizations, names = [key[0] for key in wanted], [key[1] for key in wanted]
        rows = await self._database.system_fetch(_TOPS, organizations, names)
        return {(row["org_id"], row["name"]): row["top"] for row in rows}


async def sweep(conn: Connection, older_than: datetime.datetime, limit: int) -> int:
    """Delete a batch of events past retention; returns how many."""
    status = await conn.execute(_SWEEP, older_than, limit)
    return int(status.rsplit(" ", 1)[-1])
