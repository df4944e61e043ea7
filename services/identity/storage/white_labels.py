"""White-label settings and hosts as rows. What pages of a host show is read across organizations."""

from __future__ import annotations

from datetime import datetime

import asyncpg

from libs.errors import FailedPrecondition, NotFound
from libs.ids import is_id
from libs.paging import CursorCodec, ListRules, Page, PageRequest
from libs.postgres import Connection, Database, Record
from libs.postgres.listing import Listing, fetch_page
from services.identity.domain.white_label import Host, Logo, WhiteLabel

HOST_LIST = ListRules(sorts={"createdAt": "h.created_at"})
_COLUMNS = (
    "w.product_name, w.primary_color, w.primary_text_color, w.background_color, w.text_color, w.support_email, "
    "w.support_url, w.logo_digest, w.version, w.updated_at"
)
_GET = f"select {_COLUMNS} from white_label w where w.org_id = o.org"
_LOCK = f"select {_COLUMNS} from white_label w where w.org_id = $1 for update"
# As mails: a customer that has no settings shows its agency's.
_OF_HOST = f"""
select {_COLUMNS} from white_label_host h
join organization g on g.org_id = h.org_id and g.status = 'active'
join white_label w on w.org_id in (g.org_id, g.parent_id)
where h.host = $1 and h.verified_at is not null order by w.org_id = g.org_id desc limit 1"""
_LOGO = "select w.logo_type, w.logo from white_label w where w.logo_digest = $1 and w.logo_digest <> '' limit 1"
# Its own settings; of a customer that has none, its agency's.
_NAME = """
select w.product_name from organization g join white_label w on w.org_id in (g.org_id, g.parent_id)
where g.org_id = $1 order by w.org_id = g.org_id desc limit 1"""
# The host of pages that mails to users of the organization link to.
_PAGES = """
select h.host from organization g join white_label_host h on h.org_id in (g.org_id, g.parent_id)
where g.org_id = $1 and h.verified_at is not null and h.missing_since is null
order by h.org_id = g.org_id desc, h.verified_at, h.id limit 1"""
_SAVE = """
insert into white_label (org_id, product_name, primary_color, primary_text_color, background_color, text_color,
    support_email, support_url, logo_digest, version, updated_at, logo, logo_type)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
on conflict (org_id) do update set product_name = $2, primary_color = $3, primary_text_color = $4,
    background_color = $5, text_color = $6, support_email = $7, support_url = $8, logo_digest = $9, version = $10,
    updated_at = $11,
    logo = case when $14 then excluded.logo else white_label.logo end,
    logo_type = case when $14 then excluded.logo_type else white_label.logo_type end"""
_HOST = "h.org_id, h.id, h.host, h.proof, h.verified_at, h.created_at, h.checked_at, h.missing_since"
_HOSTS = Listing(_HOST, "white_label_host h", HOST_LIST, tie="h.id", org="h.org_id", created="h.created_at")
_GET_HOST = f"select {_HOST} from white_label_host h where h.org_id = o.org and h.id = $2"
_HOLDER = f"select {_HOST} from white_label_host h where h.host = $1 and h.verified_at is not null"
_UNCHECKED = f"""
select {_HOST} from white_label_host h
where h.verified_at is not null and (h.checked_at is null or h.checked_at < $1)
order by h.checked_at nulls first limit $2"""
# A host that was proved anew, taken over or removed meanwhile is left as it is.
_CHECKED = """
update white_label_host h set verified_at = $3, checked_at = $4, missing_since = $5
where h.org_id = $1 and h.id = $2 and h.verified_at is not null and h.checked_at is not distinct from $6
returning true"""


class WhiteLabels:
    def __init__(self, database: Database, cursors: CursorCodec) -> None:
        self._database = database
        self._cursors = cursors

    async def get(self, org_id: str) -> WhiteLabel:
        """The settings; version 0 where none were made."""
        return _white_label(await self._database.fetchrow(org_id, _GET))

    async def lock(self, conn: Connection, org_id: str) -> WhiteLabel:
        """The organization's row must be locked, so that two first settings wait for each other."""
        return _white_label(await conn.fetchrow(_LOCK, org_id))

    async def of_host(self, host: str) -> WhiteLabel:
        """What pages of a proved host show; version 0 for every other host."""
        return _white_label(await self._database.system_fetchrow(_OF_HOST, host))

    async def logo(self, digest: str) -> Logo | None:
        row = await self._database.system_fetchrow(_LOGO, digest)
        return None if row is None else Logo(row["logo_type"], row["logo"])

    async def product_name(self, org_id: str) -> str:
        """The name for mails to users of the organization; empty where the suite's own is meant."""
        return await self._database.system_fetchval(_NAME, org_id) or ""

    async def pages_host(self, org_id: str) -> str:
        """The proved host of the organization, else of its agency; empty without one."""
        return await self._database.system_fetchval(_PAGES, org_id) or ""

    async def unchecked(self, before: datetime, most: int) -> list[Host]:
        """Proved hosts of all organizations whose record was not looked at since, the longest ago first."""
        return [_host(row) for row in await self._database.system_fetch(_UNCHECKED, before, most)]

    async def save_checked(self, conn: Connection, seen: Host, checked: Host) -> bool:
        """In a transaction of all organizations. Whether the host was still as it was seen."""
        saved = await conn.fetchval(
            _CHECKED, checked.org_id, checked.id, checked.verified_at, checked.checked_at,
            checked.missing_since if checked.verified_at else None, seen.checked_at,
        )  # fmt: skip
        return saved is not None

    async def save(
        self, conn: Connection, org_id: str, settings: WhiteLabel, logo: Logo | None, *, whole: bool
    ) -> None:
        """With `whole` the logo is replaced too, by none where it is None."""
        content, kind = (logo.content, logo.media_type) if logo else (None, "")
        await conn.execute(
            _SAVE, org_id, settings.product_name, settings.primary_color, settings.primary_text_color,
            settings.background_color, settings.text_color, settings.support_email, settings.support_url,
            settings.logo_digest, settings.version, settings.updated_at, content, kind, whole,
        )  # fmt: skip

    async def hosts(self, org_id: str, request: PageRequest) -> Page[Host]:
        page = await fetch_page(self._database, org_id, _HOSTS, request, [], self._cursors, ("white_label_hosts",))
        return page.map(_host)

    async def host(self, org_id: str, host_id: str) -> Host:
        row = await self._database.fetchrow(org_id, _GET_HOST, host_id) if is_id(host_id, "wlh") else None
        if row is None:
            raise _missing()
        return _host(row)

    async def holder(self, host: str) -> Host | None:
        """Whose the host is by the last proof, of all organizations."""
        row = await self._database.system_fetchrow(_HOLDER, host)
        return None if row is None else _host(row)

    async def add_host(self, conn: Connection, host: Host) -> None:
        try:
            await conn.execute(
                "insert into white_label_host (org_id, id, host, proof, created_at) values ($1, $2, $3, $4, $5)",
                host.org_id, host.id, host.host, host.proof, host.created_at,
            )  # fmt: skip
        except asyncpg.UniqueViolationError:
            raise FailedPrecondition("host_exists", "The organization has this host already.") from None

    async def release(self, conn: Connection, host: Host) -> None:
        """The former holder has it no more; goes on as that organization."""
        await conn.enter(host.org_id)
        sql = "update white_label_host h set verified_at = null where h.org_id = $1 and h.id = $2"
        await conn.execute(sql, host.org_id, host.id)

    async def verify(self, conn: Connection, host: Host, now: datetime) -> None:
        """The host is this organization's. NotFound when it was removed meanwhile."""
        sql = (
            "update white_label_host h set verified_at = coalesce(h.verified_at, $3), checked_at = $3, "
            "missing_since = null "
            "where h.org_id = $1 and h.id = $2 returning true"
        )
        try:
            found = await conn.fetchval(sql, host.org_id, host.id, now)
        except asyncpg.UniqueViolationError:
            raise FailedPrecondition("host_taken", "Another organization proves this host, too.") from None
        if found is None:
            raise _missing()

    async def remove_host(self, conn: Connection, org_id: str, host_id: str) -> None:
        sql = "delete from white_label_host h where h.org_id = $1 and h.id = $2 returning true"
        if not is_id(host_id, "wlh") or await conn.fetchval(sql, org_id, host_id) is None:
            raise _missing()


def _white_label(row: Record | None) -> WhiteLabel:
    if row is None:
        return WhiteLabel()
    return WhiteLabel(
        product_name=row["product_name"],
        primary_color=row["primary_color"],
        primary_text_color=row["primary_text_color"],
        background_color=row["background_color"],
        text_color=row["text_color"],
        support_email=row["support_email"],
        support_url=row["support_url"],
        logo_digest=row["logo_digest"],
        version=row["version"],
        updated_at=row["updated_at"],
    )


def _host(row: Record) -> Host:
    return Host(
        row["id"], row["org_id"], row["host"], row["proof"], row["created_at"], row["verified_at"], row["checked_at"],
        row["missing_since"],
    )  # fmt: skip


def _missing() -> NotFound:
    return NotFound("host_not_found", "No such host.")
