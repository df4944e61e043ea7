"""Second factors as columns of their account, the secret encrypted; recovery codes as hashes."""

from __future__ import annotations

from libs.crypto import Envelope
from libs.postgres import Connection, Database, Record
from libs.postgres.sealed import SealedColumn
from services.identity.domain.second_factor import SecondFactor, recovery_hash

_COLUMNS = (
    "a.totp_secret, a.totp_enabled_at, a.totp_step, "
    "(select count(*) from recovery_code r where r.org_id = a.org_id)::int as codes"
)
_GET = f"select {_COLUMNS} from account a where a.org_id = o.org"
_LOCK = f"select {_COLUMNS} from account a where a.org_id = $1 for update of a"

_COUNT_TRY = """
update account a set factor_tries = a.factor_tries + 1
where a.org_id = $1 and a.totp_enabled_at is not null returning a.factor_tries"""


class SecondFactors:
    def __init__(self, database: Database, envelope: Envelope) -> None:
        self._database = database
        self._envelope = envelope

    async def get(self, account_id: str) -> SecondFactor:
        return self._factor(account_id, await self._database.fetchrow(account_id, _GET))

    async def lock(self, conn: Connection, account_id: str) -> SecondFactor:
        return self._factor(account_id, await conn.fetchrow(_LOCK, account_id))

    async def save(self, conn: Connection, account_id: str, factor: SecondFactor) -> None:
        """Without its recovery codes."""
        secret = self._envelope.encrypt(factor.secret.encode(), _bound(account_id)) if factor.secret else None
        await conn.execute(
            "update account a set totp_secret = $2, totp_enabled_at = $3, totp_step = $4 where a.org_id = $1",
            account_id, secret, factor.enabled_at, factor.step,
        )  # fmt: skip

    async def note_step(self, conn: Connection, account_id: str, step: int) -> None:
        await conn.execute("update account a set totp_step = $2 where a.org_id = $1", account_id, step)

    async def count_try(self, conn: Connection, account_id: str) -> int:
        """One more code of an enabled factor is tried; how many there were since the last right one. 0 without a
        factor, of which no code is looked at."""
        return int(await conn.fetchval(_COUNT_TRY, account_id) or 0)

    async def forget_tries(self, conn: Connection, account_id: str) -> None:
        await conn.execute("update account a set factor_tries = 0 where a.org_id = $1", account_id)

    async def replace_codes(self, conn: Connection, account_id: str, codes: list[str]) -> None:
        await conn.execute("delete from recovery_code r where r.org_id = $1", account_id)
        await conn.execute(
            "insert into recovery_code (org_id, code_hash) select $1, unnest($2::bytea[])",
            account_id, [recovery_hash(code) for code in codes],
        )  # fmt: skip

    async def has_code(self, conn: Connection, account_id: str, code: str) -> bool:
        """Whether it is a recovery code of the account, which it stays."""
        sql = "select exists (select 1 from recovery_code r where r.org_id = $1 and r.code_hash = $2)"
        return bool(await conn.fetchval(sql, account_id, recovery_hash(code)))

    async def use_code(self, conn: Connection, account_id: str, code: str) -> bool:
        """Whether it was a recovery code of the account; it is none any more."""
        sql = "delete from recovery_code r where r.org_id = $1 and r.code_hash = $2 returning true"
        return bool(await conn.fetchval(sql, account_id, recovery_hash(code)))

    def _factor(self, account_id: str, row: Record | None) -> SecondFactor:
        if row is None or row["totp_secret"] is None:
            return SecondFactor()
        secret = self._envelope.decrypt(row["totp_secret"], _bound(account_id)).decode()
        return SecondFactor(secret, row["totp_enabled_at"], row["totp_step"], row["codes"])


def _bound(account_id: str) -> tuple[str, ...]:
    return (account_id, "account", account_id, "totp_secret")


# What is encrypted anew when keys change.
SEALED = (SealedColumn("account", "totp_secret", ("org_id",), lambda row: _bound(row["org_id"])),)
