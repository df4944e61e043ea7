"""API keys as rows. The hashes go in; only `lock` brings one out, for a rotation."""

from __future__ import annotations

from datetime import datetime

from libs.errors import NotFound
from libs.ids import is_id
from libs.paging import CursorCodec, ListRules, Page, PageRequest
from libs.postgres import Connection, Database, Record
from libs.postgres.listing import Listing, fetch_page
from services.identity.domain.credentials import ApiKey

KEY_LIST = ListRules(sorts={"createdAt": "k.created_at", "name": "k.name"})
_COLUMNS = (
    "k.org_id, k.id, k.name, k.prefix, k.scopes, k.created_by, k.created_at, k.expires_at, k.last_used_at, "
    "k.revoked_at, k.version, k.allowed_addresses"
)
_LISTING = Listing(_COLUMNS, "api_key k", KEY_LIST, tie="k.id")
_GET = f"select {_COLUMNS} from api_key k where k.org_id = o.org and k.id = $2"
# Before the key is locked: who removes a user locks in this order (migration 0017).
_HOLD_USER = """
select 1 from app_user u join api_key k on k.org_id = u.org_id and k.created_by = u.id
where k.org_id = $1 and k.id = $2 for share of u"""
_LOCK = f"select {_COLUMNS}, k.key_hash from api_key k where k.org_id = $1 and k.id = $2 for update"

_SWEEP = """
delete from api_key k where (k.org_id, k.id) in (
    select e.org_id, e.id from api_key e
    where least(e.revoked_at, e.expires_at) < $1 order by least(e.revoked_at, e.expires_at) limit 10000
)
returning k.id"""


class ApiKeys:
    def __init__(self, database: Database, cursors: CursorCodec) -> None:
        self._database = database
        self._cursors = cursors

    async def get(self, org_id: str, key_id: str) -> ApiKey:
        return _found(await self._database.fetchrow(org_id, _GET, key_id) if is_id(key_id, "key") else None)

    async def page(self, org_id: str, request: PageRequest, include_revoked: bool) -> Page[ApiKey]:
        wanted = [("(k.revoked_at is null or {})", include_revoked)]
        scope = ("api_keys", str(include_revoked))
        page = await fetch_page(self._database, org_id, _LISTING, request, wanted, self._cursors, scope)
        return page.map(_key)

    async def lock(self, conn: Connection, org_id: str, key_id: str) -> ApiKey:
        if not is_id(key_id, "key"):
            return _found(None)
        await conn.execute(_HOLD_USER, org_id, key_id)
        row = await conn.fetchrow(_LOCK, org_id, key_id)
        return _found(row, None if row is None else row["key_hash"])

    async def add(self, conn: Connection, key: ApiKey) -> None:
        await conn.execute(
            "insert into api_key (org_id, id, name, prefix, key_hash, scopes, created_by, version, created_at, "
            "expires_at, allowed_addresses) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            key.org_id, key.id, key.name, key.prefix, key.key_hash, list(key.scopes), key.created_by, key.version,
            key.created_at, key.expires_at, list(key.allowed_addresses),
        )  # fmt: skip

    async def save_secret(self, conn: Connection, key: ApiKey) -> None:
        await conn.execute(
            "update api_key k set key_hash = $3, previous_hash = $4, previous_until = $5, version = $6 "
            "where k.org_id = $1 and k.id = $2",
            key.org_id, key.id, key.key_hash, key.previous_hash, key.previous_until, key.version,
        )  # fmt: skip

    async def revoke(self, conn: Connection, key: ApiKey, now: datetime) -> None:
        await conn.execute(
            "update api_key k set revoked_at = $3, version = k.version + 1 where k.org_id = $1 and k.id = $2",
            key.org_id, key.id, now,
        )  # fmt: skip

    async def revoke_all(self, conn: Connection, org_id: str, user_id: str, now: datetime) -> list[ApiKey]:
        """Revoke every key that the user made; those that were not revoked before."""
        rows = await conn.fetch(
            "update api_key k set revoked_at = $3, version = k.version + 1 "
            f"where k.org_id = $1 and k.created_by = $2 and k.revoked_at is null returning {_COLUMNS}",
            org_id, user_id, now,
        )  # fmt: skip
        return [_key(row) for row in rows]

    async def sweep(self, conn: Connection, before: datetime) -> int:
        """Delete keys that ended before this, of every organization; at most 10,000 a call."""
        rows = await conn.fetch(_SWEEP, before)
        return len(rows)


def _found(row: Record | None, key_hash: bytes | None = None) -> ApiKey:
    if row is None:
        raise NotFound("api_key_not_found", "No such API key.")
    return _key(row, key_hash)


def _key(row: Record, key_hash: bytes | None = None) -> ApiKey:
    return ApiKey(
        id=row["id"],
        org_id=row["org_id"],
        name=row["name"],
        prefix=row["prefix"],
        scopes=tuple(row["scopes"]),
        created_by=row["created_by"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        last_used_at=row["last_used_at"],
        revoked_at=row["revoked_at"],
        version=row["version"],
        allowed_addresses=tuple(row["allowed_addresses"]),
        key_hash=key_hash or b"",
    )
