"""Where a service stores encrypted values, so that they can be found by the key that encrypted them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from libs.postgres.connection import Record


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
