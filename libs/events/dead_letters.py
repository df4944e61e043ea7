"""The dead events of a service: list them, count them, redrive them.

Every function takes the organization that the caller may see; None (operators' tools) means all. libs.events.inbox
writes and deletes the rows.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from libs.paging import CursorCodec, ListRules, Page, PageRequest, check_newest_first
from libs.postgres.connection import Connection, Record
from libs.postgres.database import Database
from libs.postgres.listing import Filter, Listing, fetch_page

# Dead events that one request redrives. More would lock more rows in one statement.
REPLAY_AT_MOST = 1_000
# Ids sort by the time at which an event became dead.
RULES = ListRules(sorts={"diedAt": "d.id"}, default_sort="diedAt")

# The payload is not listed, because it can contain personal data. A job's arguments are not listed either.
_COLUMNS = """d.id, d.consumer, d.event_id, d.org_id, d.topic, d.payload->>'subject' as subject, d.tries, d.error_code,
    d.last_error, d.died_at, d.replay"""
_LISTING = Listing(select=_COLUMNS, source="inbox_dead d", rules=RULES, tie="d.id", org="d.org_id", created="d.died_at")
# $1 organization or null, $2 consumer, $3 topic, $4 error (its text is for operators alone), $5 and $6 time of death.
_CHOSEN = """
    ($1::text is null or d.org_id = $1) and ($2 = '' or d.consumer = $2) and ($3 = '' or d.topic = $3)
    and ($4 = '' or d.error_code = $4 or ($1 is null and position(lower($4) in lower(d.last_error)) > 0))
    and d.died_at >= coalesce($5::timestamptz, '-infinity') and d.died_at < coalesce($6::timestamptz, 'infinity')"""
_OF_ALL = f"""
select {_COLUMNS} from inbox_dead d
where {_CHOSEN} and ($7 = '' or d.org_id = $7) and ($8 = '' or d.id < $8)
order by d.id desc limit $9"""
_MARK = f"""
update inbox_dead set replay = true where id = any(array(
    select d.id from inbox_dead d
    where {_CHOSEN} and ($7 = '' or d.org_id = $7) and ($8::text[] is null or d.id = any($8)) and not d.replay
    order by d.id limit $9 for update skip locked))"""
_COUNTS = """
select consumer, count(*) as dead, count(*) filter (where replay) as replaying
from (select consumer, replay from inbox_dead where $1::text is null or org_id = $1 limit 100000) d
group by consumer order by consumer"""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which dead events; what is empty chooses all. `error` is an error's code or, for who sees all, a part of its
    text; only they choose an organization."""

    consumer: str = ""
    topic: str = ""
    error: str = ""
    organization_id: str = ""
    died_at_ge: datetime | None = None
    died_at_lt: datetime | None = None

    @property
    def is_empty(self) -> bool:
        return self == Choice()

    @property
    def arguments(self) -> tuple[Any, ...]:
        return self.consumer, self.topic, self.error, self.died_at_ge, self.died_at_lt, self.organization_id


async def list_dead_events(
    db: Database, org_id: str, request: PageRequest, codec: CursorCodec, choice: Choice
) -> Page[Record]:
    """Those of one organization."""
    chosen = {
        "d.consumer =": choice.consumer,
        "d.topic =": choice.topic,
        "d.error_code =": choice.error,
        "d.org_id =": choice.organization_id,
        "d.died_at >=": choice.died_at_ge,
        "d.died_at <": choice.died_at_lt,
    }
    filters: list[Filter] = [(f"{condition} {{}}", value) for condition, value in chosen.items() if value]
    return await fetch_page(db, org_id, _LISTING, request, filters, codec)


async def list_dead_events_of_all(
    db: Database, request: PageRequest, codec: CursorCodec, choice: Choice
) -> Page[Record]:
    """Those of all organizations, newest first, for operators. By cursor only, without a total."""
    check_newest_first(request)
    scope = json.dumps(["dead events of all", _LISTING.tie, choice.arguments], default=str)
    [after] = codec.decode(scope, request.cursor) if request.cursor else ("",)
    rows = await db.system_fetch(_OF_ALL, None, *choice.arguments, after, request.limit + 1)
    items, has_more = rows[: request.limit], len(rows) > request.limit
    cursor = codec.encode(scope, (items[-1]["id"],)) if has_more else ""
    return Page(items, 0, request.limit, None, False, has_more, cursor)


async def ask_for_replay(conn: Connection, org_id: str | None, choice: Choice, ids: Sequence[str] | None = None) -> int:
    """Mark the chosen events for redrive: at most 1,000, oldest first, without those that are marked already. Returns
    how many. The consumers handle them within seconds."""
    return await conn.change(_MARK, org_id, *choice.arguments, ids, REPLAY_AT_MOST)


async def count_dead_events(db: Database, org_id: str | None) -> list[Record]:
    """How many each consumer has, and how many of them wait for their redrive; counted to 100,000."""
    return await db.system_fetch(_COUNTS, org_id)
