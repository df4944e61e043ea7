"""The audit log as rows, which are added and never changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import fields
from datetime import datetime
from operator import attrgetter

from libs.errors import NotFound
from libs.ids import is_id
from libs.paging import CursorCodec, ListRules, Page, PageRequest
from libs.postgres import Connection, Database, Record
from libs.postgres.listing import Listing, fetch_page
from services.identity.domain.audit import AuditEntry, AuditSeal, check_seal, seal_after

AUDIT_LIST = ListRules(sorts={"createdAt": "a.created_at"})
SEAL_LIST = ListRules(sorts={"createdAt": "s.created_at"})
# Entries that one seal covers at most; a busier minute makes several.
SEALED_AT_ONCE = 5_000
# Organizations that one run seals. The next run goes on.
_ORGANIZATIONS = 1_000
# Entries that one transaction of the retention deletes, so that none holds locks for long.
_FORGOTTEN_AT_ONCE = 10_000

_COLUMNS = (
    "a.org_id, a.number, a.id, a.created_at, a.action, a.target_id, a.user_id, a.session_id, a.api_key_id, a.role, "
    "a.service, a.ip_address, a.request_id"
)
_SEAL = "s.org_id, s.number, s.first_number, s.last_number, s.previous_hash, s.hash, s.created_at"
_LISTING = Listing(f"{_COLUMNS}, '' as changes", "audit_log a", AUDIT_LIST, tie="a.id", org="a.org_id",
                   created="a.created_at")  # fmt: skip
_SEALS = Listing(_SEAL, "audit_seal s", SEAL_LIST, tie="s.number", org="s.org_id", created="s.created_at")
_GET = f"select {_COLUMNS}, a.changes from audit_log a where a.org_id = o.org and a.id = $2"
_LOCK = "select pg_advisory_xact_lock(hashtextextended('audit' || $1, 0))"
# After the lock, so that it sees the entries of the holder before: numbers have no gap. Parts of one request
# in several services have one id and are one entry.
_ADD = """
with fresh as (
    select distinct on (n.id) n.* from unnest($2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::text[],
            $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[]) with ordinality
        as n(id, created_at, action, target_id, user_id, session_id, api_key_id, role, service, ip_address, request_id,
            changes, position)
    where not exists (select from audit_log l where l.org_id = $1 and l.id = n.id)
    order by n.id, n.position
), unsealed as (
    insert into audit_unsealed (org_id) select $1 where exists (select from fresh) on conflict do nothing
)
insert into audit_log (org_id, number, id, created_at, action, target_id, user_id, session_id, api_key_id, role,
    service, ip_address, request_id, changes)
select $1, row_number() over (order by f.position) + greatest(
        coalesce((select max(l.number) from audit_log l where l.org_id = $1), 0),
        coalesce((select max(s.last_number) from audit_seal s where s.org_id = $1), 0)
    ), f.id, f.created_at, f.action, f.target_id, f.user_id, f.session_id, f.api_key_id, f.role, f.service,
    f.ip_address, f.request_id, f.changes
from fresh f"""
_added = attrgetter("id", "created_at", "action", "target_id", "user_id", "session_id", "api_key_id", "role", "service",
                    "ip_address", "request_id", "changes")  # fmt: skip
_UNSEALED = "select u.org_id from audit_unsealed u order by u.org_id limit $1"
_LAST_SEAL = f"select {_SEAL} from audit_seal s where s.org_id = $1 order by s.number desc limit 1"
_AFTER = f"""
select {_COLUMNS}, a.changes from audit_log a where a.org_id = $1 and a.number > $2 order by a.number limit $3"""
_COVERED = f"""
select {_COLUMNS}, a.changes from audit_log a where a.org_id = $1 and a.number between $2 and $3 order by a.number"""


class AuditLog:
    def __init__(self, database: Database, cursors: CursorCodec) -> None:
        self._database = database
        self._cursors = cursors

    async def page(self, org_id: str, request: PageRequest, wanted: AuditFilter) -> Page[AuditEntry]:
        """Without their changes."""
        filters = wanted.conditions()
        scope = ("audit_log", *(str(value) for _, value in filters))
        page = await fetch_page(self._database, org_id, _LISTING, request, filters, self._cursors, scope)
        return page.map(_entry)

    async def get(self, org_id: str, entry_id: str) -> AuditEntry:
        row = await self._database.fetchrow(org_id, _GET, entry_id) if is_id(entry_id, "aud") else None
        if row is None:
            raise NotFound("audit_log_not_found", "No such entry of the audit log.")
        return _entry(row)

    async def seals(self, org_id: str, request: PageRequest) -> Page[AuditSeal]:
        page = await fetch_page(self._database, org_id, _SEALS, request, [], self._cursors, ("audit_seals",))
        return page.map(_seal)

    async def add(self, conn: Connection, org_id: str, entries: Sequence[AuditEntry]) -> None:
        """Keep entries of one organization under its next numbers, without those whose id is there."""
        await conn.execute(_LOCK, org_id)
        columns = zip(*map(_added, entries), strict=True)
        await conn.execute(_ADD, org_id, *(list(column) for column in columns))

    async def seal(self, conn: Connection, now: datetime) -> int:
        """Seal what is not sealed, of at most 1,000 organizations; the number of seals."""
        rows = await conn.fetch(_UNSEALED, _ORGANIZATIONS)
        return sum([await self._seal_one(conn, row["org_id"], now) for row in rows])

    async def _seal_one(self, conn: Connection, org_id: str, now: datetime) -> int:
        await conn.execute(_LOCK, org_id)
        row, made = await conn.fetchrow(_LAST_SEAL, org_id), 0
        last = _seal(row) if row else None
        while rows := await conn.fetch(_AFTER, org_id, last.last_number if last else 0, SEALED_AT_ONCE):
            last, made = seal_after(last, [_entry(row) for row in rows], now), made + 1
            await conn.execute(
                "insert into audit_seal (org_id, number, first_number, last_number, previous_hash, hash, created_at) "
                "values ($1, $2, $3, $4, $5, $6, $7)",
                last.org_id, last.number, last.first_number, last.last_number, last.previous_hash, last.hash,
                last.created_at,
            )  # fmt: skip
        await conn.execute("delete from audit_unsealed where org_id = $1", org_id)
        return made

    async def forget(self, before: datetime, at_once: int = _FORGOTTEN_AT_ONCE) -> int:
        """Delete sealed entries older than this, in transactions of its own; their number."""
        gone = 0
        while True:
            async with self._database.system_transaction() as conn:
                found = int(await conn.fetchval("select forget_audit($1, $2)", before, at_once))
            gone += found
            if found < at_once:
                return gone


class AuditChains:
    """The hash chains of all organizations, for the verifier."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def faults(self, org_id: str = "") -> AsyncIterator[str]:
        """What is wrong with the chains of all organizations, or of one, one line a fault."""
        found = await self._database.system_fetch(
            "select distinct s.org_id from audit_seal s where s.org_id = $1 or $1 = '' order by s.org_id", org_id
        )
        for row in found:
            async for fault in self._faults_of(row["org_id"]):
                yield f"{row['org_id']}: {fault}"

    async def _faults_of(self, org_id: str) -> AsyncIterator[str]:
        rows = await self._database.system_fetch(
            f"select {_SEAL} from audit_seal s where s.org_id = $1 order by s.number", org_id
        )
        oldest = await self._database.system_fetchval(
            "select min(a.number) from audit_log a where a.org_id = $1", org_id
        )
        before: AuditSeal | None = None
        if rows and oldest is not None and oldest < rows[0]["first_number"]:
            yield f"the seals before seal {rows[0]['number']} are missing"
        for seal in map(_seal, rows):
            # Entries of the oldest seals are forgotten in time; their seals still link.
            if oldest is not None and seal.first_number >= oldest:
                covered = await self._database.system_fetch(_COVERED, org_id, seal.first_number, seal.last_number)
                if fault := check_seal(seal, before, [_entry(entry) for entry in covered]):
                    yield fault
            before = seal


class AuditFilter:
    """Which entries are wanted; an empty text is no condition."""

    def __init__(self, *, actor_id: str = "", action: str = "", target_id: str = "", request_id: str = "") -> None:
        self._actor_id = actor_id
        self._exact = {"a.action": action, "a.target_id": target_id, "a.request_id": request_id}

    def conditions(self) -> list[tuple[str, str]]:
        found = [(f"{column} = {{}}", value) for column, value in self._exact.items() if value]
        if self._actor_id:
            column = "a.api_key_id" if self._actor_id.startswith("key_") else "a.user_id"
            found.append((f"{column} = {{}}", self._actor_id))
        return found


def _entry(row: Record) -> AuditEntry:
    return AuditEntry(**{field.name: row[field.name] for field in fields(AuditEntry)})


def _seal(row: Record) -> AuditSeal:
    return AuditSeal(**{field.name: row[field.name] for field in fields(AuditSeal)})
