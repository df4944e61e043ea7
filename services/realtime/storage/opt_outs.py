"""Which kinds of mails a user does not want."""

from __future__ import annotations

from libs.postgres import Connection, Database
from services.realtime.domain.notifications import Notification

# Owners of an organization that are asked about; the list of addresses has no more.
_MOST = 50


async def of_user(database: Database, org_id: str, user_id: str) -> frozenset[Notification]:
    sql = "select t.kind from mail_opt_out t where t.org_id = o.org and t.user_id = $2"
    return frozenset(Notification(row["kind"]) for row in await database.fetch(org_id, sql, user_id))


async def of_owners(database: Database, org_id: str, kind: Notification) -> frozenset[str]:
    """The owners of the organization who do not want mails of this kind."""
    sql = (
        "select t.user_id from mail_opt_out t"
        " join organization_owner w on w.org_id = t.org_id and w.user_id = t.user_id"
        " where t.org_id = o.org and t.kind = $2 limit $3"
    )
    return frozenset(row["user_id"] for row in await database.fetch(org_id, sql, kind, _MOST))


async def write(conn: Connection, org_id: str, user_id: str, kind: Notification, *, sent: bool) -> None:
    if sent:
        sql = "delete from mail_opt_out t where t.org_id = $1 and t.user_id = $2 and t.kind = $3"
    else:
        sql = "insert into mail_opt_out (org_id, user_id, kind) values ($1, $2, $3) on conflict do nothing"
    await conn.execute(sql, org_id, user_id, kind)


async def end_for_owner(conn: Connection, org_id: str, user_id: str, kind: Notification) -> None:
    """Write the choice of an owner, to whom alone such mails go. A user who was removed stays forgotten."""
    sql = (
        "insert into mail_opt_out (org_id, user_id, kind) select w.org_id, w.user_id, $3"
        " from organization_owner w where w.org_id = $1 and w.user_id = $2 on conflict do nothing"
    )
    await conn.execute(sql, org_id, user_id, kind)


async def forget(conn: Connection, org_id: str, user_id: str) -> None:
    await conn.execute("delete from mail_opt_out t where t.org_id = $1 and t.user_id = $2", org_id, user_id)
