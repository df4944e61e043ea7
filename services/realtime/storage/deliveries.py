"""Deliveries of webhooks as their job needs them: content, address, and the outcome of each attempt."""

from __future__ import annotations

import dataclasses
from typing import Any

from libs.postgres import Connection, Database
from services.realtime.domain.delivery import Delivery, Failures
from services.realtime.storage.endpoints import DELIVERY_COLUMNS, delivery_from_row


@dataclasses.dataclass(frozen=True, slots=True)
class Outgoing:
    """One attempt's material. `secrets` are encrypted; two while a rotation overlaps."""

    delivery_id: str
    endpoint_id: str
    url: str
    content_type: str
    endpoint_status: str
    status: str
    body: bytes
    secrets: tuple[bytes, ...]


_OUTGOING = """
select d.id, d.endpoint_id, d.status as delivery_status, d.body, e.url, e.content_type, e.status, e.secret,
       case when e.previous_secret_until > now() then e.previous_secret end as previous_secret
from webhook_delivery d join webhook_endpoint e on e.org_id = d.org_id and e.id = d.endpoint_id
where d.org_id = o.org and d.id = $2
"""


async def outgoing(database: Database, org_id: str, delivery_id: str) -> Outgoing | None:
    row = await database.fetchrow(org_id, _OUTGOING, delivery_id)
    if row is None:
        return None
    secrets = tuple(secret for secret in (row["secret"], row["previous_secret"]) if secret is not None)
    return Outgoing(
        row["id"], row["endpoint_id"], row["url"], row["content_type"], row["status"], row["delivery_status"],
        row["body"], secrets,
    )  # fmt: skip


async def add(conn: Connection, org_id: str, delivery: Delivery, body: bytes) -> None:
    await conn.execute(
        "insert into webhook_delivery (org_id, id, endpoint_id, event_id, event_type, body, job_id, next_attempt_at)"
        " values ($1, $2, $3, $4, $5, $6, $7, now())",
        org_id,
        delivery.id,
        delivery.endpoint_id,
        delivery.event_id,
        delivery.event_type,
        body,
        delivery.job_id,
    )


async def lock(conn: Connection, org_id: str, endpoint_id: str, delivery_id: str) -> tuple[Delivery, bytes] | None:
    row = await conn.fetchrow(
        f"select {DELIVERY_COLUMNS}, d.body from webhook_delivery d"
        " where d.org_id = $1 and d.endpoint_id = $2 and d.id = $3 for update",
        org_id,
        endpoint_id,
        delivery_id,
    )
    if row is None:
        return None
    return delivery_from_row(row), row["body"]


async def reopen(conn: Connection, org_id: str, delivery_id: str, job_id: str) -> Delivery:
    row = await conn.fetchrow(
        "update webhook_delivery d set status = 'pending', job_id = $3, next_attempt_at = now(), last_error = ''"
        f" where d.org_id = $1 and d.id = $2 returning {DELIVERY_COLUMNS}",
        org_id,
        delivery_id,
        job_id,
    )
    return delivery_from_row(row)


async def record_success(conn: Connection, org_id: str, delivery_id: str, code: int) -> None:
    """Mark it delivered and reset its endpoint's failures."""
    await conn.execute(
        """
        with tried as (
            update webhook_delivery set attempts = attempts + 1, status = 'delivered', last_status_code = $3,
                   last_error = '', next_attempt_at = null, delivered_at = now()
            where org_id = $1 and id = $2 returning endpoint_id
        )
        update webhook_endpoint e set last_success_at = now(), failing_since = null, exhausted = 0
        from tried where e.org_id = $1 and e.id = tried.endpoint_id
        """,
        org_id,
        delivery_id,
        code,
    )


async def record_failure(
    conn: Connection, org_id: str, delivery_id: str, code: int | None, error: str, wait: float | None
) -> Failures | None:
    """Record an attempt; `wait` is the seconds until the next one, None after the last. Returns the endpoint's failures
    since its last success, or None when it was deleted meanwhile."""
    row = await conn.fetchrow(
        """
        with tried as (
            update webhook_delivery
            set attempts = attempts + 1, status = case when $5::float8 is null then 'failed' else 'pending' end,
                last_status_code = $3, last_error = $4, next_attempt_at = now() + make_interval(secs => $5)
            where org_id = $1 and id = $2 returning endpoint_id
        )
        update webhook_endpoint e
        set last_failure_at = now(), failing_since = coalesce(e.failing_since, now()),
            exhausted = e.exhausted + case when $5::float8 is null then 1 else 0 end
        from tried where e.org_id = $1 and e.id = tried.endpoint_id
        returning now() - e.failing_since as failing, e.exhausted
        """,
        org_id,
        delivery_id,
        code,
        error,
        wait,
    )
    return None if row is None else Failures(row["failing"], row["exhausted"])


async def abandon(conn: Connection, org_id: str, delivery_id: str, error: str) -> None:
    """It ends without another attempt."""
    await conn.execute(
        "update webhook_delivery set status = 'failed', last_error = $3, next_attempt_at = null"
        " where org_id = $1 and id = $2",
        org_id,
        delivery_id,
        error,
    )


async def disable_endpoint(conn: Connection, org_id: str, endpoint_id: str, reason: str) -> Any:
    """The row that was disabled, or None when it already was."""
    return await conn.fetchrow(
        "update webhook_endpoint set status = 'disabled', disabled_reason = $3, version = version + 1,"
        " updated_at = now() where org_id = $1 and id = $2 and status = 'enabled' returning id, url",
        org_id,
        endpoint_id,
        reason,
    )


async def sweep(conn: Connection, older_than_days: int, limit: int) -> int:
    status = await conn.execute(
        "delete from webhook_delivery d using (select org_id, id from webhook_delivery"
        " where created_at < now() - make_interval(days => $1) order by created_at limit $2) old"
        " where d.org_id = old.org_id and d.id = old.id",
        older_than_days,
        limit,
    )
    return int(status.rsplit(" ", 1)[-1])
