"""Times, masks and pages between protos and domain."""

from datetime import UTC, datetime

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.rpc import error_details_pb2, status_pb2

from echosenseix.common.v1 import common_pb2
from libs.errors import InvalidArgument
from libs.paging import ListRules, Page
from libs.rpc.masks import apply_mask, checked_paths, touches
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


def test_a_mask_is_checked_against_what_may_change() -> None:
    mask = FieldMask(paths=["name", "llm.model"])
    assert checked_paths(mask, {"name", "llm"}) == {"name", "llm.model"}
    assert touches(mask.paths, "llm")
    assert not touches(mask.paths, "ll")
    with pytest.raises(InvalidArgument) as caught:
        checked_paths(FieldMask(paths=["id", "names", "llm.model"]), {"name", "llm"})
    assert [item.pointer for item in caught.value.violations] == ["#/id", "#/names"]


def test_masked_fields_are_replaced_or_cleared() -> None:
    source = status_pb2.Status(message="new")
    source.details.add(type_url="b")
    target = status_pb2.Status(code=3, message="old")
    target.details.add(type_url="a")
    apply_mask(source, target, FieldMask(paths=["message", "details"]))
    assert (target.code, target.message, [item.type_url for item in target.details]) == (3, "new", ["b"])
    retry = error_details_pb2.RetryInfo()
    retry.retry_delay.seconds = 5
    apply_mask(error_details_pb2.RetryInfo(), retry, FieldMask(paths=["retry_delay"]))
    assert not retry.HasField("retry_delay")
