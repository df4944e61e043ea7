"""Lists on the HTTP wire: the requested page, and the envelope and Link header around its rows.

Two paging modes, by number and by cursor (docs/errors.md). Callers make the rows; services own the rules of a list.
"""

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec
from starlette.responses import Response

from echosenseix.common.v1 import common_pb2
from gateway.http.request import Request
from gateway.http.responses import ok
from gateway.http.schema import ListQuery, PageQuery
from gateway.http.wire import set_time
from libs.errors import invalid_parameter
from libs.paging import MAX_PAGED_ROWS, CursorCodec, ListRules, check_page, check_sort

M = TypeVar("M")


class ListAnswer(msgspec.Struct, rename="camel", kw_only=True, gc=False):
    """The envelope of every list; all keys are always present."""

    # A list of rows, or the JSON array that a service made of them.
    data: Any
    page: int | None
    limit: int
    total: int | None
    total_pages: int | None
    total_is_estimate: bool
    has_more: bool
    next_cursor: str | None


def page_request(query: PageQuery) -> common_pb2.PageRequest:
    """The query as services take it. They check it against their list's rules."""
    cursor_mode = query.cursor is not None
    if cursor_mode and query.page is not None:
        raise invalid_parameter("page", "Use page or cursor, not both.")
    request = common_pb2.PageRequest(
        page=min(query.page or 0, MAX_PAGED_ROWS + 1),
        limit=query.limit or 0,
        cursor=query.cursor or "",
        cursor_mode=cursor_mode,
        sort=query.sort or "",
        order=query.order or "",
        include_total=bool(query.include_total),
        json_rows=True,
    )
    if isinstance(query, ListQuery):
        set_time(request.created_at_ge, query.created_at_ge)
        set_time(request.created_at_lt, query.created_at_lt)
    return request


def list_answer(rows: list[Any] | msgspec.Raw, info: common_pb2.PageInfo) -> ListAnswer:
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


def page_response(
    request: Request[Any, Any, Any], messages: Iterable[M], info: common_pb2.PageInfo, row: Callable[[M], Any]
) -> Response:
    """A service's page: the rows that it made, or its messages shown as rows."""
    rows = msgspec.Raw(info.json_rows) if info.json_rows else [row(message) for message in messages]
    return list_response(request, list_answer(rows, info))


def list_response(request: Request[Any, Any, Any], envelope: ListAnswer, cursor: str = "cursor") -> Response:
    """An envelope with its links. `cursor` is the name of the parameter that takes `nextCursor`."""
    link = link_header(request.options.public_url + request.path, request.parameters, envelope, cursor)
    return ok(envelope, headers={"link": link})


def link_header(base: str, asked: Mapping[str, str], answer: ListAnswer, cursor: str = "cursor") -> str:
    """RFC 8288 links to the pages around this one; `base` is the list's URL, `asked` its query parameters."""
    links = _page_links(answer) if answer.page is not None else _cursor_links(answer, cursor)
    kept = {name: value for name, value in asked.items() if name not in ("page", cursor)}
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


def _cursor_links(answer: ListAnswer, cursor: str) -> list[tuple[str, dict[str, str]]]:
    links = [("first", {cursor: ""})]
    if answer.next_cursor:
        links.append(("next", {cursor: answer.next_cursor}))
    return links


def whole_list(
    rows: Iterable[Any],
    query: PageQuery,
    codec: CursorCodec,
    scope: str,
    sort: str = "name",
    key: Callable[[Any], Any] = attrgetter("name"),
) -> ListAnswer:
    """A page of a list that is held as a whole, sorted by `key`, which the API calls `sort`. Its cursor is the number
    of rows before it."""
    rules = ListRules(sorts={sort: sort}, default_sort=sort, default_descending=False)
    asked = page_request(query)
    page, limit = check_page(asked.page, asked.limit, asked.cursor_mode, rules)
    _, descending = check_sort(asked.sort, asked.order, rules)
    scope = f"{scope}|{descending}"
    ordered = sorted(rows, key=key, reverse=descending)
    begin = (page - 1) * limit
    if asked.cursor_mode:
        begin = int(codec.decode(scope, asked.cursor)[0]) if asked.cursor else 0
    end, count = begin + limit, len(ordered)
    return ListAnswer(
        data=ordered[begin:end],
        page=None if asked.cursor_mode else page,
        limit=limit,
        total=count if asked.include_total or not asked.cursor_mode else None,
        total_pages=None if asked.cursor_mode else -(-count // limit),
        total_is_estimate=False,
        has_more=end < count,
        next_cursor=codec.encode(scope, (end,)) if end < count else None,
    )
