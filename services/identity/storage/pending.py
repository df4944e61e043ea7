"""Pending registrations as rows. The password's hash goes out only to check a login and to make the account."""

from __future__ import annotations

from datetime import datetime

from libs.postgres import Connection, Database, Record
from services.identity.domain.people import Registration
from services.identity.domain.verification import PendingRegistration, place_of
from suite.tables import PENDING_PER_ADDRESS

_COLUMNS = "p.id, p.email, p.first_name, p.last_name, p.organization_name, p.password_hash, p.created_at, p.expires_at"
_NEWEST = f"""
select {_COLUMNS} from pending_registration p where p.org_id = o.org and p.expires_at > $2
order by p.created_at desc, p.id desc limit 1"""
_PLACE = "select p.org_id from pending_registration p where p.id = $1 and p.expires_at > $2"
_TAKE = f"""
delete from pending_registration p where p.org_id = $1 and p.id = $2 and p.expires_at > $3 returning {_COLUMNS}"""
_TRIM = """
delete from pending_registration d where d.org_id = $1 and d.id in (
    select p.id from pending_registration p where p.org_id = $1 order by p.created_at desc, p.id desc offset $2
)"""
_SWEEP = """
delete from pending_registration d where (d.org_id, d.id) in (
    select p.org_id, p.id from pending_registration p where p.expires_at < $1 order by p.expires_at limit 10000
)"""


class PendingRegistrations:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def newest(self, email: str, now: datetime) -> PendingRegistration | None:
        row = await self._database.fetchrow(place_of(email), _NEWEST, now)
        return None if row is None else _pending(row)

    async def place(self, registration_id: str, now: datetime) -> str | None:
        """Where a registration waits; a link names no address."""
        place: str | None = await self._database.system_fetchval(_PLACE, registration_id, now)
        return place

    async def add(self, conn: Connection, pending: PendingRegistration) -> None:
        """Keep it, and of its address the newest alone."""
        asked = pending.asked
        await conn.execute(
            "insert into pending_registration (org_id, id, email, first_name, last_name, organization_name, "
            "password_hash, created_at, expires_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            pending.place, pending.id, asked.email, asked.first_name, asked.last_name, asked.organization_name,
            pending.password_hash, pending.created_at, pending.expires_at,
        )  # fmt: skip
        await conn.execute(_TRIM, pending.place, PENDING_PER_ADDRESS)

    async def take(
        self, conn: Connection, place: str, registration_id: str, now: datetime
    ) -> PendingRegistration | None:
        """Remove it with all others of its address; None when it was used or has expired."""
        row = await conn.fetchrow(_TAKE, place, registration_id, now)
        if row is None:
            return None
        await conn.execute("delete from pending_registration where org_id = $1", place)
        return _pending(row)

    async def sweep(self, conn: Connection, before: datetime) -> int:
        """Delete those that expired before this; at most 10,000 a call."""
        return await conn.change(_SWEEP, before)


def _pending(row: Record) -> PendingRegistration:
    asked = Registration(row["email"], "", row["first_name"], row["last_name"], row["organization_name"])
    return PendingRegistration(row["id"], asked, row["created_at"], row["expires_at"], row["password_hash"])
