"""Deliveries of webhooks as their job needs them: their state, and the outcome of each attempt."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from libs.postgres import Connection, Database
from services.realtime.domain.delivery import Attempt, Delivery, Exchange, Failures
from services.realtime.storage.endpoints import DELIVERY_COLUMNS, delivery_from_row
from suite.tables import ATTEMPTS_PER_DELIVERY

_STATE = """
select d.endpoint_id, d.job_id, d.status, d.last_status_code, d.last_error, e.status as endpoint_status,
       greatest(0, extract(epoch from d.next_attempt_at - now()))::float8 as seconds_to_next,
       greatest(0, extract(epoch from greatest(e.turn_until, e.hold_until) - now()))::float8 as seconds_to_turn,
       e.failed_attempts > 0 as failing,
       (select count(*) from (
           select 1 from webhook_delivery b
           where b.org_id = o.org and b.endpoint_id = d.endpoint_id and b.status = 'pending'
               and b.next_attempt_at <= now() and (b.position, b.id) < (d.position, d.id)
           limit 100) before) as ahead
from webhook_delivery d join webhook_endpoint e on e.org_id = d.org_id and e.id = d.endpoint_id
where d.org_id = o.org and d.id = $2
"""

_LOG = """
), logged as (
    insert into webhook_attempt (org_id, delivery_id, number, started_at, duration_ms, status_code, error,
        request_headers, response_headers, response_body)
    select $1, tried.id, tried.attempts, $5, $6, $3, $4, $7::text::jsonb, $8::text::jsonb, $9 from tried
), trimmed as (
    delete from webhook_attempt a using tried
    where a.org_id = $1 and a.delivery_id = tried.id and a.number <= tried.attempts - $10
)
"""

_SUCCESS = f"""
with tried as (
    update webhook_delivery set attempts = attempts + 1, tries = tries + 1, status = 'delivered', last_status_code = $3,
           last_error = $4, next_attempt_at = null, delivered_at = now()
    where org_id = $1 and id = $2 returning id, endpoint_id, attempts
{_LOG}
update webhook_endpoint e
set last_success_at = now(), failing_since = null, exhausted = 0, failed_attempts = 0, hold_until = null,
    alerted_at = null
from tried where e.org_id = $1 and e.id = tried.endpoint_id
"""

_FAILURE = f"""
with tried as (
    update webhook_delivery
    set attempts = attempts + 1, tries = tries + 1,
        status = case when $11::float8 is null then 'failed' else status end,
        last_status_code = $3, last_error = $4, next_attempt_at = now() + make_interval(secs => $11)
    where org_id = $1 and id = $2 returning id, endpoint_id, attempts
{_LOG}
update webhook_endpoint e
set last_failure_at = now(), failing_since = coalesce(e.failing_since, now()),
    failed_attempts = e.failed_attempts + 1, hold_until = now() + make_interval(secs => $12),
    exhausted = e.exhausted + case when $11::float8 is null then 1 else 0 end
from tried where e.org_id = $1 and e.id = tried.endpoint_id
returning now() - e.failing_since as failing, e.exhausted, e.alerted_at is not null as alerted
"""

# Its job may have found another one's turn and sleep until that would be over.
_HURRY = """
update job j set run_at = d.next_attempt_at from webhook_delivery d
where d.org_id = $1 and d.id = $2 and j.org_id = d.org_id and j.id = d.job_id and j.state = 'scheduled'
    and j.run_at > d.next_attempt_at
"""

_ATTEMPTS = """
select a.number, a.started_at, a.duration_ms, a.status_code, a.error, a.request_headers::text as request_headers,
       a.response_headers::text as response_headers, a.response_body
from webhook_attempt a where a.org_id = o.org and a.delivery_id = $2 order by a.number
"""


@dataclasses.dataclass(frozen=True, slots=True)
class State:
    """A delivery between attempts: what it waits for, in seconds, and how many deliveries of its endpoint, at most
    100, go before it."""

    endpoint_id: str
    job_id: str
    endpoint_status: str
    status: str
    last_status_code: int | None
    last_error: str
    seconds_to_next: float
    seconds_to_turn: float
    failing: bool
    ahead: int


async def state(database: Database, org_id: str, delivery_id: str) -> State | None:
    row = await database.fetchrow(org_id, _STATE, delivery_id)
    if row is None:
        return None
    return State(
        row["endpoint_id"], row["job_id"], row["endpoint_status"], row["status"], row["last_status_code"],
        row["last_error"], row["seconds_to_next"] or 0.0, row["seconds_to_turn"] or 0.0, row["failing"], row["ahead"],
    )  # fmt: skip


async def add(conn: Connection, org_id: str, delivery: Delivery, body: bytes, replay_job: str = "") -> None:
    await conn.execute(
        "insert into webhook_delivery"
        " (org_id, id, endpoint_id, event_id, event_type, body, job_id, position, replay_job, next_attempt_at)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, now())",
        org_id,
        delivery.id,
        delivery.endpoint_id,
        delivery.event_id,
        delivery.event_type,
        body,
        delivery.job_id,
        delivery.position,
        replay_job,
    )


async def lock(conn: Connection, org_id: str, endpoint_id: str, delivery_id: str) -> Delivery | None:
    row = await conn.fetchrow(
        f"select {DELIVERY_COLUMNS} from webhook_delivery d"
        " where d.org_id = $1 and d.endpoint_id = $2 and d.id = $3 for update",
        org_id,
        endpoint_id,
        delivery_id,
    )
    return None if row is None else delivery_from_row(row)


async def reopen(conn: Connection, org_id: str, delivery_id: str, job_id: str, replay_job: str = "") -> Delivery:
    """Begin another round of attempts."""
    row = await conn.fetchrow(
        "update webhook_delivery d set status = 'pending', job_id = $3, tries = 0, next_attempt_at = now(),"
        f" last_error = '', replay_job = $4 where d.org_id = $1 and d.id = $2 returning {DELIVERY_COLUMNS}",
        org_id,
        delivery_id,
        job_id,
        replay_job,
    )
    return delivery_from_row(row)


async def of_events(
    conn: Connection, org_id: str, endpoint_id: str, event_ids: Sequence[str]
) -> dict[str, tuple[Delivery, str]]:
    """Event -> its newest delivery to the endpoint and the job that last replayed it, locked."""
    rows = await conn.fetch(
        f"select {DELIVERY_COLUMNS}, d.replay_job from webhook_delivery d"
        " where d.org_id = $1 and d.endpoint_id = $2 and d.event_id = any($3::text[]) order by d.id for update",
        org_id,
        endpoint_id,
        list(event_ids),
    )
    return {row["event_id"]: (delivery_from_row(row), row["replay_job"]) for row in rows}


async def record_success(conn: Connection, org_id: str, delivery_id: str, exchange: Exchange) -> None:
    """Mark it delivered, record the attempt and reset its endpoint's failures."""
    await conn.execute(_SUCCESS, org_id, delivery_id, *_recorded(exchange))


async def record_failure(
    conn: Connection, org_id: str, delivery_id: str, exchange: Exchange, wait: float | None, rest: float
) -> Failures | None:
    """Record an attempt; `wait` is the seconds until the next one, None after the last; `rest` the seconds without a
    delivery to the endpoint. Returns the endpoint's failures since its last success, or None when it was deleted
    meanwhile."""
    row = await conn.fetchrow(_FAILURE, org_id, delivery_id, *_recorded(exchange), wait, rest)
    if wait is not None:
        await conn.execute(_HURRY, org_id, delivery_id)
    return None if row is None else Failures(row["failing"], row["exhausted"], row["alerted"])


async def attempts(database: Database, org_id: str, delivery_id: str) -> list[Attempt]:
    """The recorded attempts of a delivery, the oldest first."""
    rows = await database.fetch(org_id, _ATTEMPTS, delivery_id)
    return [
        Attempt(
            row["number"],
            Exchange(
                row["started_at"], row["duration_ms"], row["status_code"], row["error"],
                json.loads(row["request_headers"]), json.loads(row["response_headers"]), row["response_body"],
            ),
        )
        for row in rows
    ]  # fmt: skip


async def abandon(conn: Connection, org_id: str, delivery_id: str, error: str) -> None:
    """It ends without another attempt."""
    await conn.execute(
        "update webhook_delivery set status = 'failed', last_error = $3, next_attempt_at = null"
        " where org_id = $1 and id = $2",
        org_id,
        delivery_id,
        error,
    )


async def close_orphans(conn: Connection, limit: int) -> int:
    """End pending deliveries whose job ended without them: it was cancelled or quarantined, or ran out of time."""
    return await conn.change(
        "update webhook_delivery d set status = 'failed', last_error = 'Its job ended.', next_attempt_at = null"
        " from (select p.org_id, p.id from webhook_delivery p where p.status = 'pending' and not exists"
        "  (select 1 from job j where j.id = p.job_id and j.finished_at is null)"
        "  limit $1 for update of p skip locked) orphan"
        " where d.org_id = orphan.org_id and d.id = orphan.id",
        limit,
    )


async def args_of_job(conn: Connection, org_id: str, job_id: str) -> Any:
    """The arguments of a job of the organization, None when there is no such job."""
    text = await conn.fetchval("select args::text from job where org_id = $1 and id = $2", org_id, job_id)
    return None if text is None else json.loads(text)


async def disable_endpoint(conn: Connection, org_id: str, endpoint_id: str, reason: str) -> Any:
    """The row that was disabled, or None when it already was."""
    return await conn.fetchrow(
        "update webhook_endpoint set status = 'disabled', disabled_reason = $3, version = version + 1,"
        " updated_at = now() where org_id = $1 and id = $2 and status = 'enabled' returning id, url, failing_since",
        org_id,
        endpoint_id,
        reason,
    )


async def mark_alerted(conn: Connection, org_id: str, endpoint_id: str) -> Any:
    """The row of an endpoint that was not alerted about since its last success, else None."""
    return await conn.fetchrow(
        "update webhook_endpoint set alerted_at = now()"
        " where org_id = $1 and id = $2 and status = 'enabled' and alerted_at is null returning id, url, failing_since",
        org_id,
        endpoint_id,
    )


async def sweep(conn: Connection, older_than_days: int, limit: int) -> int:
    return await conn.change(
        "delete from webhook_delivery d using (select org_id, id from webhook_delivery"
        " where created_at < now() - make_interval(days => $1) order by created_at limit $2) old"
        " where d.org_id = old.org_id and d.id = old.id",
        older_than_days,
        limit,
    )


def _recorded(exchange: Exchange) -> tuple[Any, ...]:
    return (
        exchange.status_code, exchange.error, exchange.started_at, exchange.duration_ms,
        json.dumps(dict(exchange.request_headers)), json.dumps(dict(exchange.response_headers)),
        exchange.response_body, ATTEMPTS_PER_DELIVERY,
    )  # fmt: skip
