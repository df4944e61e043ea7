"""Lists on the HTTP wire: the page a request asks for, and the envelope and Link header around its rows.

Both paging modes of docs: by number and by cursor. Rows are made by the caller; rules of a list are its service's.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec

from echosenseix.common.v1 import common_pb2
from gateway.schemas.shapes import ListQuery
from gateway.wire import set_time
from libs.errors import InvalidArgument
from libs.paging import MAX_PAGED_ROWS

_WHOLE_LIMIT = 50


class ListAnswer(msgspec.Struct, rename="camel", kw_only=True, gc=False):
    """The envelope of every list; all keys are always present."""

    data: list[Any]
    page: int | None
    limit: int
    total: int | None
    total_pages: int | None
    total_is_estimate: bool
    has_more: bool
    next_cursor: str | None


def page_request(query: ListQuery) -> common_pb2.PageRequest:
    """What the query asks for, as services take it; their list rules have the last word."""
    cursor_mode = query.cursor is not None
    if cursor_mode and query.page is not None:
        raise InvalidArgument("invalid_query", "Use page or cursor, not both.")
    request = common_pb2.PageRequest(
        page=min(query.page or 0, MAX_PAGED_ROWS + 1),
        limit=query.limit or 0,
        cursor=query.cursor or "",
        cursor_mode=cursor_mode,
        sort=query.sort or "",
        order=query.order or "",
        include_total=bool(query.include_total),
    )
    set_time(request.created_at_ge, query.created_at_ge)
    set_time(request.created_at_lt, query.created_at_lt)
    return request


def list_answer(rows: list[Any], info: common_pb2.PageInfo) -> ListAnswer:
    """The envelope around the rows."""
    total = info.total if info.HasField("total") else None
    by_number = info.page > 0
    return ListAnswer(
        data=rows,
        page=info.page if by_number else None,
        limit=info.limit,
        total=total,
        total_pages=-(-total // info.limit) if by_number and total is not None and info.limit else None,
        total_is_estimate=info.total_is_estimate,
        has_more=info.has_more,
        next_cursor=info.next_cursor or None,
    )


def link_header(base: str, asked: Mapping[str, str], answer: ListAnswer) -> str:
    """RFC 8288 links to the pages around this one; `base` is the list's URL, `asked` its query parameters."""
    links = _page_links(answer) if answer.page is not None else _cursor_links(answer)
    kept = {name: value for name, value in asked.items() if name not in ("page", "cursor")}
    return ", ".join(f'<{base}?{urlencode(kept | where)}>; rel="{rel}"' for rel, where in links)


def _page_links(answer: ListAnswer) -> list[tuple[str, dict[str, str]]]:
    page, reach = answer.page or 1, MAX_PAGED_ROWS // answer.limit
    links = [("first", {"page": "1"})]
    if page > 1:
        links.append(("prev", {"page": str(page - 1)}))
    if answer.has_more and page < reach:
        links.append(("next", {"page": str(page + 1)}))
    elif answer.next_cursor:
        links.append(("next", {"cursor": answer.next_cursor}))
    if answer.total_pages and not answer.total_is_estimate and answer.total_pages <= reach:
        links.append(("last", {"page": str(answer.total_pages)}))
    return links


def _cursor_links(answer: ListAnswer) -> list[tuple[str, dict[str, str]]]:
    links = [("first", {"cursor": ""})]
    if answer.next_cursor:
        links.append(("next", {"cursor": answer.next_cursor}))
    return links


def whole_list(rows: list[Any], query: ListQuery) -> ListAnswer:
    """A part of a list that is at hand as a whole, in both modes; its cursor is the count of rows before."""
    if query.cursor is not None and query.page is not None:
        raise InvalidArgument("invalid_query", "Use page or cursor, not both.")
    limit = query.limit or _WHOLE_LIMIT
    by_number = query.cursor is None
    begin = ((query.page or 1) - 1) * limit if by_number else _offset(query.cursor or "")
    more = begin + limit < len(rows)
    return ListAnswer(
        data=rows[begin : begin + limit],
        page=(query.page or 1) if by_number else None,
        limit=limit,
        total=len(rows) if by_number or query.include_total else None,
        total_pages=-(-len(rows) // limit) if by_number else None,
        total_is_estimate=False,
        has_more=more,
        next_cursor=str(begin + limit) if more else None,
    )


def _offset(cursor: str) -> int:
    if not cursor:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 10):
        raise InvalidArgument("invalid_cursor", "Start the list again without a cursor.")
    return int(cursor)
