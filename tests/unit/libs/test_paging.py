from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.errors import InvalidArgument, OutOfRange
from libs.paging import CursorCodec, ListRules, Page, PageRequest, check_newest_first, check_page, check_sort

RULES = ListRules(sorts={"createdAt": "created_at", "name": "name"})
CODEC = CursorCodec(b"k" * 32)
VALUES = st.tuples(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**63),
        st.text(max_size=50),
        st.datetimes(timezones=st.just(UTC)),
    ),
    st.text(max_size=30),
)


@given(VALUES)
def test_a_cursor_gives_back_what_it_was_given(values: tuple[object, ...]) -> None:
    assert CODEC.decode("list", CODEC.encode("list", values)) == values


@given(st.text(max_size=200))
def test_no_text_but_ours_is_a_cursor(text: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        CODEC.decode("list", text)
    assert caught.value.reason == "invalid_cursor"
    assert [violation.pointer for violation in caught.value.violations] == ["#/cursor"]


def test_a_cursor_fits_only_its_own_list_and_key() -> None:
    cursor = CODEC.encode("agents:org_1", (datetime(2026, 1, 1, tzinfo=UTC), "agt_1"))
    for codec, scope in ((CODEC, "agents:org_2"), (CursorCodec(b"x" * 32), "agents:org_1")):
        with pytest.raises(InvalidArgument):
            codec.decode(scope, cursor)


def test_every_changed_character_is_noticed() -> None:
    cursor = CODEC.encode("s", ("abc", 5))
    for position in range(len(cursor) - 1):
        changed = cursor[:position] + ("A" if cursor[position] != "A" else "B") + cursor[position + 1 :]
        with pytest.raises(InvalidArgument):
            CODEC.decode("s", changed)


def test_a_huge_cursor_is_refused_unread() -> None:
    with pytest.raises(InvalidArgument):
        CODEC.decode("s", CODEC.encode("s", ("x" * 5_000,)))


def test_short_keys_and_foreign_types_are_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        CursorCodec(b"short")
    with pytest.raises(TypeError):
        CODEC.encode("s", (object(),))


@pytest.mark.parametrize(
    ("page", "limit", "cursor_mode", "expected"),
    [(0, 0, False, (1, 50)), (3, 20, False, (3, 20)), (200, 50, False, (200, 50)), (9_999, 200, True, (1, 200))],
)
def test_page_and_limit_have_defaults_and_bounds(
    page: int, limit: int, cursor_mode: bool, expected: tuple[int, int]
) -> None:
    assert check_page(page, limit, cursor_mode, RULES) == expected


@pytest.mark.parametrize(("page", "limit"), [(1, 201), (1, -1), (-1, 10), (1, 10_000)])
def test_what_the_list_does_not_allow_is_refused(page: int, limit: int) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_page(page, limit, False, RULES)
    assert caught.value.reason == "invalid_query"


def test_deep_pages_point_to_cursors() -> None:
    with pytest.raises(OutOfRange) as caught:
        check_page(201, 50, False, RULES)
    assert caught.value.reason == "page_out_of_range"
    [violation] = caught.value.violations
    assert violation.pointer == "#/page"
    assert "cursor" in violation.detail


def test_a_list_over_all_organizations_names_each_parameter_that_it_does_not_take() -> None:
    check_newest_first(PageRequest(cursor_mode=True))
    with pytest.raises(InvalidArgument) as caught:
        check_newest_first(PageRequest(page=2, descending=False, include_total=True))
    assert [violation.pointer for violation in caught.value.violations] == ["#/page", "#/order", "#/includeTotal"]


def test_sort_and_order_are_checked() -> None:
    assert check_sort("", "", RULES) == ("createdAt", True)
    assert check_sort("name", "asc", RULES) == ("name", False)
    for sort, order in (("created_at", ""), ("name", "down"), ("name; drop table", "")):
        with pytest.raises(InvalidArgument):
            check_sort(sort, order, RULES)


def test_a_request_knows_its_offset_and_whether_it_counts() -> None:
    assert PageRequest(page=3, limit=20).offset == 40
    assert PageRequest().counts
    assert not PageRequest(cursor_mode=True).counts
    assert PageRequest(cursor_mode=True, include_total=True).counts


def test_a_page_maps_its_rows_alone() -> None:
    page = Page([1, 2], 1, 50, 2, False, False, "")
    assert page.map(str) == Page(["1", "2"], 1, 50, 2, False, False, "")
