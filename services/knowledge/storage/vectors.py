"""Vectors on their way into SQL, and whether this database can hold them."""

from __future__ import annotations

from collections.abc import Sequence

from libs.clock import monotonic
from libs.postgres import Database

# Seconds between looks for pgvector while it is absent.
_LOOK_AGAIN_SECONDS = 60.0
# By name: to_regprocedure raises on PostgreSQL 15 where a type of the signature does not exist.
_PRESENT = """
select o.org <> '' and exists (
    select from pg_catalog.pg_proc
     where proname = 'find_nearest' and pronamespace = current_schema()::regnamespace)"""


def literal(vector: Sequence[float]) -> str:
    """pgvector's text form; single precision has no more than nine digits."""
    return "[" + ",".join(f"{value:.8g}" for value in vector) + "]"


class VectorSupport:
    """Asks once whether pgvector and the function that uses it are there, and again each minute while they are not."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._present = False
        self._asked_at = float("-inf")

    async def available(self, org_id: str) -> bool:
        if not self._present and monotonic() - self._asked_at > _LOOK_AGAIN_SECONDS:
            self._present = bool(await self._database.fetchval(org_id, _PRESENT))
            self._asked_at = monotonic()
        return self._present
