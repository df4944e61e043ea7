"""An organization that has many calls already: copies of one that the suite took, with all rows that it left.

Written by statements over sets, without triggers and foreign keys. The roll-ups and the account's balance stay as they
were. Times are spread over the last days, so that no sweep deletes the copies.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg

# Copies that a statement writes of a table. More: longer transactions.
_A_STATEMENT = 50_000
# Days over which the copies are spread: fewer than the seven that the outbox keeps.
_DAYS = 6
_EVENTS = """select array_agg(e.id) from realtime.event e
    where e.org_id = $1 and e.envelope -> 'data' ->> 'callId' = $2"""
_COLUMNS = """select a.attname as name, a.atttypid = 'timestamptz'::regtype as is_time from pg_attribute a
    where a.attrelid = $1::text::regclass and a.attnum > 0 and not a.attisdropped and a.attidentity = ''"""
# Copies come after what the channel has; each call has the same number of places in it.
_PUBLICATIONS = """
insert into realtime.publication (org_id, channel, position, event_id)
select p.org_id, p.channel, c.top + (n - 1) * p.each + p.place, p.event_id || to_char(n, 'FM00000000')
from (
    select p.org_id, p.channel, p.event_id, row_number() over (partition by p.channel order by p.position) as place,
        count(*) over (partition by p.channel) as each
    from realtime.publication p where p.org_id = $1 and p.event_id = any($2::text[])
) p join realtime.channel c on c.org_id = p.org_id and c.name = p.channel
cross join generate_series($3::bigint, $4::bigint) n"""
_TOPS = """
update realtime.channel c set top = l.last from (
    select p.channel, max(p.position) as last from realtime.publication p where p.org_id = $1 group by p.channel
) l where c.org_id = $1 and c.name = l.channel"""


@dataclass(frozen=True)
class _Rows:
    """The rows of a table that one call left: by which column, and the columns that a copy has of its own."""

    table: str
    by: str
    values: list[str]
    own: tuple[str, ...]
    has_org: bool = True


async def fill(database: asyncpg.Connection[Any], calls: int) -> None:
    """Add so many calls to the organization whose call is the newest."""
    began = time.perf_counter()
    newest = await database.fetchrow(
        "select c.org_id, c.id, c.external_call_id from calllog.call c where c.cost_micros is not null"
        " order by c.created_at desc limit 1"
    )
    if newest is None:
        raise SystemExit("no call was rated yet")
    org_id, before = newest["org_id"], await _bytes(database)
    rows, events = await _rows_of(database, newest)
    await database.execute("set session_replication_role = replica; set synchronous_commit = off")
    for first in range(1, calls + 1, _A_STATEMENT):
        last = min(first + _A_STATEMENT - 1, calls)
        for one in rows:
            await database.execute(await _copying(database, one, calls), org_id, one.values, first, last)
        await database.execute(_PUBLICATIONS, org_id, events, first, last)
    await database.execute(_TOPS, org_id)
    await database.execute("reset session_replication_role; reset synchronous_commit")
    for table in {one.table for one in rows} | {"realtime.publication", "realtime.channel"}:
        await database.execute(f"vacuum (analyze) {table}")
    grown, took = (await _bytes(database) - before) / 2**30, time.perf_counter() - began
    print(f"filled with {calls:,} calls: {grown:.1f} GiB in {took:.0f} s")


async def _rows_of(database: asyncpg.Connection[Any], call: Mapping[str, Any]) -> tuple[list[_Rows], list[str]]:
    org_id, call_id = call["org_id"], call["id"]
    events: list[str] = await database.fetchval(_EVENTS, org_id, call_id)
    usage: list[str] = await database.fetchval(
        "select array_agg(u.id) from billing.usage_event u where u.org_id = $1 and u.call_id = $2", org_id, call_id
    )
    posted: list[str] = await database.fetchval(
        "select array_agg(r.transaction_id) from billing.usage_rating r"
        " where r.org_id = $1 and r.usage_event_id = any($2::text[])", org_id, usage,
    )  # fmt: skip
    of_call = [call_id]
    rows = [
        _Rows("calllog.envelope", "key", [call["external_call_id"]], ("id", "key")),
        _Rows("calllog.call", "id", of_call, ("id", "external_call_id")),
        _Rows("calllog.call_turn", "call_id", of_call, ("call_id",)),
        _Rows("calllog.call_facet", "call_id", of_call, ("call_id",)),
        _Rows("calllog.call_search", "call_id", of_call, ("call_id",)),
        _Rows("billing.usage_event", "id", usage, ("id", "call_id")),
        _Rows("billing.ledger_transaction", "id", posted, ("id", "key")),
        _Rows("billing.ledger_entry", "transaction_id", posted, ("id", "transaction_id", "call_id", "usage_event_id")),
        _Rows("billing.usage_rating", "usage_event_id", usage, ("usage_event_id", "transaction_id")),
        _Rows("realtime.event", "id", events, ("id",)),
        *(_Rows(f"{of}.outbox", "event_id", events, ("event_id", "key")) for of in ("calllog", "billing")),
        *(_Rows(f"{of}.inbox", "event_id", events, ("event_id",), False) for of in ("calllog", "billing", "realtime")),
    ]
    return rows, events


async def _copying(database: asyncpg.Connection[Any], rows: _Rows, calls: int) -> str:
    """$1 the organization, $2 the values of the rows, $3 and $4 the numbers of the copies."""
    names, values = [], []
    for column in await database.fetch(_COLUMNS, rows.table):
        name = column["name"]
        names.append(name)
        if name in rows.own:
            values.append(f"case when t.{name} = '' then '' else t.{name} || to_char(n, 'FM00000000') end")
        elif column["is_time"] and name != "stream_epoch":
            values.append(f"t.{name} - ({calls} - n) * interval '{_DAYS} days' / {calls}")
        else:
            values.append(f"t.{name}")
    of_org = "t.org_id = $1" if rows.has_org else "$1::text is not null"
    return (
        f"insert into {rows.table} ({', '.join(names)}) select {', '.join(values)} from {rows.table} t"
        f" cross join generate_series($3::bigint, $4::bigint) n where {of_org} and t.{rows.by} = any($2::text[])"
    )


async def _bytes(database: asyncpg.Connection[Any]) -> int:
    size: int = await database.fetchval("select pg_database_size(current_database())")
    return size
