"""Lists between protos and libs.paging: the request checked against its rules, the page's facts beside the rows."""

from collections.abc import Sequence
from typing import Any

from echosenseix.common.v1 import common_pb2
from libs.json_rows import JsonRow, json_rows
from libs.paging import ListRules, Page, PageRequest, check_page, check_sort
from libs.rpc.times import from_timestamp


def page_request_from_proto(message: common_pb2.PageRequest, rules: ListRules) -> PageRequest:
    """The wanted part of a list; InvalidArgument or OutOfRange when the list does not allow it."""
    cursor_mode = message.cursor_mode or bool(message.cursor)
    page, limit = check_page(message.page, message.limit, cursor_mode, rules)
    sort, descending = check_sort(message.sort, message.order, rules)
    return PageRequest(
        page=page,
        limit=limit,
        cursor=message.cursor,
        cursor_mode=cursor_mode,
        sort=sort,
        descending=descending,
        include_total=message.include_total,
        created_at_ge=from_timestamp(message, "created_at_ge"),
        created_at_lt=from_timestamp(message, "created_at_lt"),
    )


def json_page(page: Page[Any], rows: Sequence[JsonRow]) -> common_pb2.PageInfo:
    """The page whole: its rows in the JSON that the API shows."""
    info = page_info_to_proto(page)
    info.json_rows = json_rows(rows)
    return info


def page_info_to_proto(page: Page[Any]) -> common_pb2.PageInfo:
    """What stands beside the rows."""
    return common_pb2.PageInfo(
        page=page.page,
        limit=page.limit,
        total=page.total,
        total_is_estimate=page.total_is_estimate,
        has_more=page.has_more,
        next_cursor=page.next_cursor,
    )
