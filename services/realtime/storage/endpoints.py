"""Webhook endpoints and their deliveries."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from typing import Any

from libs.paging import CursorCodec, ListRules, Page, PageRequest
from libs.postgres import Connection, Database, Record
from libs.postgres.listing import Listing, fetch_page
from libs.postgres.sealed import SealedColumn
from services.realtime.domain.delivery import Delivery, Endpoint

ENDPOINT_LIST = ListRules(sorts={"createdAt": "e.created_at"})
DELIVERY_LIST = ListRules(sorts={"createdAt": "d.created_at"})

_ENDPOINT = """e.org_id, e.id, e.url, e.event_types, e.description, e.content_type, e.status, e.disabled_reason,
e.version, e.created_at, e.updated_at, e.last_success_at, e.last_failure_at, e.failing_since, e.exhausted"""
_RETURNING = _ENDPOINT.replace("e.", "")
DELIVERY_COLUMNS = """d.org_id, d.id, d.endpoint_id, d.event_id, d.event_type, d.status, d.attempts, d.last_status_code,
d.last_error, d.job_id, d.created_at, d.next_attempt_at, d.delivered_at, d.position"""


def secret_place(org_id: str, endpoint_id: str) -> tuple[str, ...]:
    """What a sealed secret is bound to: organization, table, row, column."""
    return (org_id, "webhook_endpoint", endpoint_id, "secret")


_endpoints = Listing(
    select=_ENDPOINT,
    source="webhook_endpoint e",
    rules=ENDPOINT_LIST,
    tie="e.id",
    org="e.org_id",
    created="e.created_at",
)
_deliveries = Listing(
    select=DELIVERY_COLUMNS,
    source="webhook_delivery d",
    rules=DELIVERY_LIST,
    tie="d.id",
    org="d.org_id",
    created="d.created_at",
    may_lag=True,
)


def _place(row: Record) -> tuple[str, ...]:
    return secret_place(row["org_id"], row["id"])


# What is encrypted anew when keys change. A replaced secret moves to the other column as it is.
_SECRETS = ("secret", "previous_secret")
SEALED = tuple(SealedColumn("webhook_endpoint", column, ("org_id", "id"), _place) for column in _SECRETS)


class Endpoints:
    def __init__(self, database: Database, codec: CursorCodec) -> None:
        self._database = database
        self._codec = codec

    async def get(self, org_id: str, endpoint_id: str) -> Endpoint | None:
        sql = f"select {_ENDPOINT} from webhook_endpoint e where e.org_id = o.org and e.id = $2"
        row = await self._database.fetchrow(org_id, sql, endpoint_id)
        return None if row is None else endpoint_from_row(row)

    async def list(self, org_id: str, request: PageRequest) -> Page[Endpoint]:
        page = await fetch_page(self._database, org_id, _endpoints, request, [], self._codec, ("endpoints",))
        return page.map(endpoint_from_row)

    async def get_delivery(self, org_id: str, endpoint_id: str, delivery_id: str) -> tuple[Delivery, bytes] | None:
        """The delivery and the body that it sends."""
        sql = (
            f"select {DELIVERY_COLUMNS}, d.body from webhook_delivery d"
            " where d.org_id = o.org and d.endpoint_id = $2 and d.id = $3"
        )
        row = await self._database.fetchrow(org_id, sql, endpoint_id, delivery_id)
        return None if row is None else (delivery_from_row(row), row["body"])

    async def list_deliveries(
        self, org_id: str, endpoint_id: str, request: PageRequest, *, status: str, event_type: str, event_id: str
    ) -> Page[Delivery]:
        """Those of one status, type of event, or event, where it is not empty."""
        wanted = {"status": status, "event_type": event_type, "event_id": event_id}
        filters: list[tuple[str, Any]] = [("d.endpoint_id = {}", endpoint_id)]
        filters += [(f"d.{name} = {{}}", value) for name, value in wanted.items() if value]
        scope = ("deliveries", endpoint_id)
        page = await fetch_page(self._database, org_id, _deliveries, request, filters, self._codec, scope)
        return page.map(delivery_from_row)


async def add(conn: Connection, endpoint: Endpoint, secret: bytes) -> None:
    await conn.execute(
        "insert into webhook_endpoint"
        " (org_id, id, url, event_types, description, secret, created_at, updated_at, content_type)"
        " values ($1, $2, $3, $4, $5, $6, $7, $7, $8)",
        endpoint.org_id,
        endpoint.id,
        endpoint.url,
        list(endpoint.event_types),
        endpoint.description,
        secret,
        endpoint.created_at,
        endpoint.content_type,
    )


async def lock(conn: Connection, org_id: str, endpoint_id: str) -> Endpoint | None:
    row = await conn.fetchrow(
        f"select {_ENDPOINT} from webhook_endpoint e where e.org_id = $1 and e.id = $2 for update", org_id, endpoint_id
    )
    return None if row is None else endpoint_from_row(row)


async def save(conn: Connection, endpoint: Endpoint) -> Endpoint:
    """Write what a customer may change; the version grows by one. A new address, or enabling it again, forgets what
    the endpoint failed at before."""
    row = await conn.fetchrow(
        "update webhook_endpoint set url = $3, event_types = $4, description = $5, status = $6, disabled_reason = $7,"
        " content_type = $8,"
        " failing_since = case when status = 'enabled' and url = $3 then failing_since end,"
        " exhausted = case when status = 'enabled' and url = $3 then exhausted else 0 end,"
        " failed_attempts = case when status = 'enabled' and url = $3 then failed_attempts else 0 end,"
        " hold_until = case when status = 'enabled' and url = $3 then hold_until end,"
        " alerted_at = case when status = 'enabled' and url = $3 then alerted_at end,"
        f" version = version + 1, updated_at = now() where org_id = $1 and id = $2 returning {_RETURNING}",
        endpoint.org_id,
        endpoint.id,
        endpoint.url,
        list(endpoint.event_types),
        endpoint.description,
        endpoint.status,
        endpoint.disabled_reason,
        endpoint.content_type,
    )
    return endpoint_from_row(row)


async def replace_secret(
    conn: Connection, org_id: str, endpoint_id: str, secret: bytes, overlap: datetime.timedelta
) -> Endpoint:
    row = await conn.fetchrow(
        "update webhook_endpoint set previous_secret = secret, previous_secret_until = now() + $4, secret = $3,"
        f" version = version + 1, updated_at = now() where org_id = $1 and id = $2 returning {_RETURNING}",
        org_id,
        endpoint_id,
        secret,
        overlap,
    )
    return endpoint_from_row(row)


async def delete(conn: Connection, org_id: str, endpoint_id: str) -> None:
    """Its deliveries go with it."""
    await conn.execute("delete from webhook_endpoint where org_id = $1 and id = $2", org_id, endpoint_id)


async def enabled(conn: Connection, org_id: str) -> Sequence[Endpoint]:
    rows = await conn.fetch(
        f"select {_ENDPOINT} from webhook_endpoint e where e.org_id = $1 and e.status = 'enabled'", org_id
    )
    return [endpoint_from_row(row) for row in rows]


def endpoint_from_row(row: Any) -> Endpoint:
    fields = {field.name: row[field.name] for field in dataclasses.fields(Endpoint)}
    return Endpoint(**{**fields, "event_types": tuple(row["event_types"])})


def delivery_from_row(row: Any) -> Delivery:
    return Delivery(**{field.name: row[field.name] for field in dataclasses.fields(Delivery)})
