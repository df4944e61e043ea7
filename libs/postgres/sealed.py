"""Where a service stores encrypted values, so that they can be found by the key that encrypted them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import asyncpg

from libs.crypto import head_of
from libs.postgres.connection import Record

# Seconds for one column: it is read as a whole, because no index knows which key encrypted a value.
_COLUMN_SECONDS = 600.0
_COLUMNS = """select format('%I.%I', n.nspname, c.relname) as place, format('%I', a.attname) as name
from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
where n.nspname = $1 and a.atttypid = 'bytea'::regtype and not a.attisdropped
and c.relkind in ('r', 'p') and not c.relispartition
order by 1, 2"""


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column of encrypted values. `key` is the table's primary key; `place` makes the additional data of encryption
    from a row, which has the columns of `key` and `beside`."""

    table: str
    column: str
    key: tuple[str, ...]
    place: Callable[[Record], tuple[str, ...]]
    beside: tuple[str, ...] = ()

    @property
    def stale(self) -> str:
        """The condition of a value under another key than $1: the id stands in the value (libs.crypto)."""
        kid = f"substring({self.column} from 3 for get_byte({self.column}, 1))"
        return f"{self.column} is not null and {kid} <> convert_to($1, 'UTF8')"


async def kids_in_use(admin_url: str, schema: str, kids: Iterable[str]) -> dict[str, str]:
    """Of these key ids those under which a value of the schema is encrypted -> a column that has one.

    Looks at every column of bytes, so that one which no job knows cannot lose its key. Raises what asyncpg raises."""
    heads = {head_of(kid): kid for kid in kids}
    found: dict[str, str] = {}
    connection = await asyncpg.connect(admin_url, command_timeout=_COLUMN_SECONDS)
    try:
        for place, name in await connection.fetch(_COLUMNS, schema):
            # Both names come quoted from the catalog.
            sql = f"""select head from unnest($1::bytea[]) as wanted (head)
                      where exists (select from {place} where substring({name} for length(head)) = head)"""
            for row in await connection.fetch(sql, list(heads)):
                found[heads[row["head"]]] = f"{place}.{name}"
    finally:
        await connection.close(timeout=_COLUMN_SECONDS)
    return found
