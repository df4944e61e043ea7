from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from echosenseix.common.v1 import common_pb2
from gateway.http.lists import ListAnswer, link_header, list_answer, page_request, whole_list
from gateway.http.schema import ListQuery, WholeListQuery
from libs.errors import AppError, InvalidArgument
from libs.paging import CursorCodec

CODEC = CursorCodec(b"0123456789abcdef")


@dataclass
class Row:
    name: str


def links(answer: ListAnswer, asked: dict[str, str] | None = None) -> dict[str, dict[str, list[str]]]:
    header = link_header("http://h/api/agents", asked or {}, answer)
    found = {}
    for part in header.split(", "):
        url, rel = part.split("; ")
        assert urlsplit(url[1:-1]).path == "/api/agents"
        found[rel.removeprefix('rel="').rstrip('"')] = parse_qs(urlsplit(url[1:-1]).query, keep_blank_values=True)
    return found


def numbered(page: int, total: int, limit: int = 10) -> ListAnswer:
    more = page * limit < total
    info = common_pb2.PageInfo(page=page, limit=limit, total=total, has_more=more, next_cursor="c" if more else "")
    return list_answer([], info)


def test_a_page_by_number_has_its_numbers_and_all_links() -> None:
    answer = numbered(2, 35)
    assert (answer.page, answer.total, answer.total_pages, answer.has_more, answer.next_cursor) == (2, 35, 4, True, "c")
    assert links(answer, {"page": "2", "tags": "a b"}) == {
        "first": {"page": ["1"], "tags": ["a b"]},
        "prev": {"page": ["1"], "tags": ["a b"]},
        "next": {"page": ["3"], "tags": ["a b"]},
        "last": {"page": ["4"], "tags": ["a b"]},
    }


def test_an_empty_list_has_no_pages_and_nothing_around_it() -> None:
    answer = numbered(1, 0)
    assert (answer.total_pages, answer.has_more, answer.next_cursor) == (0, False, None)
    assert set(links(answer)) == {"first"}


def test_the_last_page_by_number_leads_on_by_cursor() -> None:
    answer = numbered(1000, 20_000)
    assert links(answer)["next"] == {"cursor": ["c"]}
    assert "last" not in links(answer)


def test_a_page_by_cursor_has_no_numbers() -> None:
    answer = list_answer([], common_pb2.PageInfo(page=0, limit=10, has_more=True, next_cursor="n"))
    assert (answer.page, answer.total, answer.total_pages) == (None, None, None)
    assert links(answer, {"cursor": "o", "limit": "10"}) == {
        "first": {"cursor": [""], "limit": ["10"]},
        "next": {"cursor": ["n"], "limit": ["10"]},
    }


def test_an_estimate_names_no_last_page() -> None:
    info = common_pb2.PageInfo(page=1, limit=10, total=90, total_is_estimate=True, has_more=True, next_cursor="c")
    assert "last" not in links(list_answer([], info))


def test_page_and_cursor_together_are_refused() -> None:
    for refused in (
        lambda: page_request(ListQuery(page=1, cursor="")),
        lambda: whole_list([], WholeListQuery(page=1, cursor=""), CODEC, "s"),
    ):
        with pytest.raises(InvalidArgument, match="invalid_query"):
            refused()


def test_an_absurd_page_number_still_fits_the_wire() -> None:
    assert page_request(ListQuery(page=10**30)).page == 10_001


def whole(scope: str = "s", count: int = 5, **asked: Any) -> ListAnswer:
    return whole_list([Row(f"q{number}") for number in range(count)], WholeListQuery(**asked), CODEC, scope)


def names(answer: ListAnswer) -> list[str]:
    return [row.name for row in answer.data]


def test_a_whole_list_is_paged_in_both_modes() -> None:
    by_number = whole(page=2, limit=2)
    assert (names(by_number), by_number.total, by_number.total_pages, by_number.has_more) == (["q2", "q3"], 5, 3, True)
    first = whole(cursor="", limit=4)
    by_cursor = whole(cursor=first.next_cursor, limit=4)
    assert (names(by_cursor), by_cursor.page, by_cursor.next_cursor, by_cursor.has_more) == (["q4"], None, None, False)
    assert (whole(cursor="").total, whole(cursor="", include_total=True).total) == (None, 5)
    assert whole(page=9).data == []
    assert whole(count=0).total_pages == 0
    assert names(whole(order="desc", limit=2)) == ["q4", "q3"]


def test_a_whole_list_keeps_the_rules_of_every_list() -> None:
    cursor = whole(cursor="", limit=2).next_cursor
    for refused, reason in (
        ({"page": 201}, "page_out_of_range"),
        ({"sort": "bogus"}, "invalid_query"),
        ({"cursor": "1"}, "invalid_cursor"),
        ({"cursor": cursor, "order": "desc"}, "invalid_cursor"),
        ({"cursor": cursor, "scope": "another organization's"}, "invalid_cursor"),
    ):
        with pytest.raises(AppError) as caught:
            whole(**refused)
        assert caught.value.reason == reason
