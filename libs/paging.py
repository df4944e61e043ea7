"""Lists: what a page is, in both modes (by number, by signed keyset cursor), and the codec of cursors.

Pure: it knows neither SQL nor protos (libs.postgres.listing and libs.rpc.paging do).
"""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from libs.clock import parse_rfc3339
from libs.errors import InvalidArgument, Violation, invalid_parameter, parameter_out_of_range, step
from libs.keys import MacKeys, mac_keys

T = TypeVar("T")
U = TypeVar("U")

# Rows that page numbers reach, because OFFSET reads all rows before the page. Cursors have no such limit.
MAX_PAGED_ROWS = 10_000
# Bytes of a cursor's HMAC: 128 bits.
_MAC_BYTES = 16
# Characters of a cursor; longer ones are refused unread.
_MAX_CURSOR = 2_048


@dataclass(frozen=True, slots=True)
class ListRules:
    """What one list allows: `sorts` maps a name of the API to its SQL column."""

    sorts: Mapping[str, str]
    default_sort: str = "createdAt"
    default_descending: bool = True
    default_limit: int = 50
    max_limit: int = 200


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which part of a list is wanted, already checked against its rules."""

    page: int = 1
    limit: int = 50
    cursor: str = ""
    cursor_mode: bool = False
    sort: str = "createdAt"
    descending: bool = True
    include_total: bool = False
    created_at_ge: datetime | None = None
    created_at_lt: datetime | None = None

    @property
    def offset(self) -> int:
        return (self.page - 1) * self.limit

    @property
    def counts(self) -> bool:
        """Whether the total is wanted: always by page number, on request by cursor."""
        return self.include_total or not self.cursor_mode


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows of a list. `page` is 0 in cursor mode, `total` None if not counted, `next_cursor` empty at the end."""

    items: list[T]
    page: int
    limit: int
    total: int | None
    total_is_estimate: bool
    has_more: bool
    next_cursor: str

    def map(self, fn: Callable[[T], U]) -> "Page[U]":
        """The same page with each row turned by `fn`."""
        return Page(
            items=[fn(item) for item in self.items],
            page=self.page,
            limit=self.limit,
            total=self.total,
            total_is_estimate=self.total_is_estimate,
            has_more=self.has_more,
            next_cursor=self.next_cursor,
        )


def check_page(page: int, limit: int, cursor_mode: bool, rules: ListRules) -> tuple[int, int]:
    """The page and limit to use (0 means the default); refuses what the list does not allow."""
    limit = rules.default_limit if limit == 0 else limit
    page = 1 if page == 0 or cursor_mode else page
    if not 1 <= limit <= rules.max_limit:
        raise invalid_parameter("limit", f"Set limit to a whole number from 1 to {rules.max_limit}.")
    if page < 1:
        raise invalid_parameter("page", "Set page to a whole number from 1.")
    if page * limit > MAX_PAGED_ROWS:
        detail = f"Page numbers reach the first {MAX_PAGED_ROWS:,} rows. To go further, use cursor and limit."
        raise parameter_out_of_range("page", detail, "page_out_of_range")
    return page, limit


def check_sort(sort: str, order: str, rules: ListRules) -> tuple[str, bool]:
    """The sort field and whether it descends (empty means the default); refuses names that the list does not know."""
    name = sort or rules.default_sort
    if name not in rules.sorts:
        raise invalid_parameter("sort", f"Set sort to one of: {', '.join(rules.sorts)}.")
    if order not in ("", "asc", "desc"):
        raise invalid_parameter("order", "Set order to asc or desc.")
    return name, (order == "desc" if order else rules.default_descending)


def check_newest_first(request: PageRequest) -> None:
    """Refuses what a list over all organizations does not have: other pages than the first, an order, a total."""
    detail = "Over all organizations: newest first, by cursor, without a total."
    refused = {"page": request.page > 1, "order": not request.descending, "includeTotal": request.include_total}
    violations = [Violation(step("#", name), "invalid_value", detail) for name, is_wrong in refused.items() if is_wrong]
    if violations:
        raise InvalidArgument("invalid_query", detail, violations=violations)


def invalid_cursor() -> InvalidArgument:
    """The refusal of a cursor that this list did not give."""
    detail = "Start the list again without a cursor; this one belongs to another list, filter or sort."
    return invalid_parameter("cursor", detail, "invalid_cursor")


class CursorCodec:
    """Opaque cursors: JSON of the last row's sort values under an HMAC that also covers the scope (filter, sort,
    organization), so that a cursor fits only the list it came from."""

    def __init__(self, key: bytes | MacKeys) -> None:
        self._keys = mac_keys(key)

    def encode(self, scope: str, values: tuple[Any, ...]) -> str:
        body = json.dumps([_pack(value) for value in values], separators=(",", ":")).encode()
        mac = self._keys.sign(_scoped(scope, body))[:_MAC_BYTES]
        return base64.urlsafe_b64encode(mac + body).decode().rstrip("=")

    def decode(self, scope: str, text: str) -> tuple[Any, ...]:
        """The values; InvalidArgument("invalid_cursor") for a foreign, changed or malformed cursor."""
        if len(text) <= _MAX_CURSOR and text.isascii():
            try:
                raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            except binascii.Error:
                raw = b""
            mac, body = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
            if body and self._keys.verify(_scoped(scope, body), mac, _MAC_BYTES):
                return tuple(_unpack(value) for value in json.loads(body))
        raise invalid_cursor()


def _scoped(scope: str, body: bytes) -> bytes:
    return len(scope.encode()).to_bytes(4, "big") + scope.encode() + body


def _pack(value: Any) -> Any:
    if isinstance(value, datetime):
        return {"t": value.isoformat(timespec="microseconds")}
    if value is None or isinstance(value, (str, int, float)):
        return value
    raise TypeError(f"a cursor cannot hold {type(value).__name__}")


def _unpack(value: Any) -> Any:
    return parse_rfc3339(value["t"]) if isinstance(value, dict) else value
