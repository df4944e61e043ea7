"""The addresses of an organization's owners, kept from identity's events: identity has no RPC that lists them."""

from __future__ import annotations

from libs.postgres import Connection, Database

# Each owner gets a separate mail; owners beyond this number get none.
_MOST = 50


async def remember(conn: Connection, org_id: str, user_id: str, email: str) -> None:
    await conn.execute(
        "insert into organization_owner (org_id, user_id, email) values ($1, $2, $3)"
        " on conflict (org_id, user_id) do update set email = excluded.email",
        org_id,
        user_id,
        email,
    )


async def forget(conn: Connection, org_id: str, user_id: str) -> None:
    await conn.execute("delete from organization_owner w where w.org_id = $1 and w.user_id = $2", org_id, user_id)


async def addresses(database: Database, org_id: str) -> dict[str, str]:
    """User -> address of the organization's owners."""
    sql = "select w.user_id, w.email from organization_owner w where w.org_id = o.org order by w.user_id limit $2"
    return {row["user_id"]: row["email"] for row in await database.fetch(org_id, sql, _MOST)}
