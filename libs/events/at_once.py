"""A write in one statement: the change of a row, its event and its record for the audit log, committed in one round
trip. It stands for a transaction of six; a caller that finds the row changed meanwhile has to take that one.
"""

import functools
from typing import Any

from libs.bus.subjects import outbox_wakeup
from libs.cache.changes import Change, concerned
from libs.context import current_call
from libs.events.audit import KEPT_CHANGES, sole_record
from libs.events.envelope import Event
from libs.postgres.database import Database

# A function of the schema makes the change, because a statement sees what triggers noted of it only after a call. The
# settings are made before the call, which refers to them, and what follows it reads whether it did anything.
_STATEMENT = """
with o as materialized (
    select set_config('app.org', $1, true) as org, set_config('app.audited', {audited}, true)
), saved as materialized (
    select {function}(o.org{args}) as done from o
), w as materialized (
    select $1::text as org, current_setting('app.audit_changes', true) as changes, ''::text as named
    from saved where saved.done
), kept as ({kept}
), invalidated as (
    insert into cache_invalidation (event_id, org_id, topic, key) select $2, w.org, $3, $4 from w where $5::boolean
), noted as (
    insert into outbox (event_id, org_id, topic, key, payload, headers)
    select e.event_id, w.org, e.topic, e.key, e.payload, jsonb_build_object('service', $6::text)
    from w, kept, lateral (values (1, $2::text, $3::text, $4::text, $7::json){record})
        as e (position, event_id, topic, key, payload)
    order by e.position
)
select saved.done from saved"""
_RECORD = ", (2, $8::text, $9::text, $10::text, ($11::text || to_json(kept.changes)::text || '}}')::json)"


async def write_at_once(db: Database, org_id: str, function: str, *args: Any, event: Event) -> bool:
    """Call `function(org, *args)`, a function of the schema that changes one row and says whether it did. When it did
    not, nothing is written. False also, without a call, where logs of two organizations have the write. The caller has
    no Idempotency-Key."""
    record: tuple[str, ...] = ()
    if db.audits and current_call().audited is not None:
        if (found := sole_record(org_id, event.owner)) is None:
            return False
        record = found
    changes = concerned([Change(event.id, org_id, event.topic, event.key)])
    done = await db.write_once(
        org_id, _statement(function, bool(record), len(args)), event.id, event.topic, event.key, bool(changes),
        event.owner, event.payload(), *record, *args, changes=changes, announce=outbox_wakeup(event.owner),
    )  # fmt: skip
    if done and record:
        current_call().audited = None
    return done


@functools.cache
def _statement(function: str, recorded: bool, args: int) -> str:
    first = 12 if recorded else 8
    return _STATEMENT.format(
        function=function,
        args="".join(f", ${number}" for number in range(first, first + args)),
        audited="'on'" if recorded else "''",
        kept=KEPT_CHANGES,
        record=_RECORD if recorded else "",
    )
