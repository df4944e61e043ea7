"""Times and pages between protos and domain."""

from datetime import UTC, datetime

import pytest

from echosenseix.common.v1 import common_pb2
from libs.errors import InvalidArgument
from libs.paging import ListRules, Page
from libs.rpc.paging import page_info_to_proto, page_request_from_proto
from libs.rpc.times import from_timestamp, to_timestamp

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
RULES = ListRules(sorts={"createdAt": "created_at", "name": "name"})


def test_times_keep_their_microseconds_and_absence() -> None:
    message = common_pb2.PageRequest(created_at_ge=to_timestamp(MOMENT), created_at_lt=to_timestamp(None))
    assert from_timestamp(message, "created_at_ge") == MOMENT
    assert from_timestamp(message, "created_at_lt") is None


@pytest.mark.parametrize("seconds", [2**62, -(2**62)])
def test_a_time_out_of_range_is_the_callers_fault(seconds: int) -> None:
    message = common_pb2.PageRequest()
    message.created_at_ge.seconds = seconds
    with pytest.raises(InvalidArgument) as caught:
        from_timestamp(message, "created_at_ge")
    assert caught.value.violations[0].pointer == "#/created_at_ge"


def test_a_page_request_takes_the_defaults_of_its_list() -> None:
    request = page_request_from_proto(common_pb2.PageRequest(), RULES)
    assert (request.page, request.limit, request.sort, request.descending) == (1, 50, "createdAt", True)
    assert not request.cursor_mode


def test_a_cursor_means_cursor_mode() -> None:
    request = page_request_from_proto(common_pb2.PageRequest(cursor="abc", page=9, limit=200), RULES)
    assert request.cursor_mode
    assert request.page == 1


def test_a_page_carries_its_facts() -> None:
    info = page_info_to_proto(Page([1], 2, 50, 51, False, False, ""))
    assert (info.page, info.limit, info.total, info.has_more) == (2, 50, 51, False)
    assert not page_info_to_proto(Page([], 0, 50, None, False, True, "c")).HasField("total")
