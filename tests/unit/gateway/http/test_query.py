import pytest

from gateway.http.query import decode_query, parse_query
from gateway.http.schema import NoQuery
from gateway.schemas.agents import AgentQuery
from libs.errors import InvalidArgument


def asked(raw: bytes) -> AgentQuery:
    return decode_query(parse_query(raw), AgentQuery)


def test_a_query_is_typed() -> None:
    query = asked(b"page=2&limit=50&includeTotal=true&search=a%20b&createdAtGe=2026-01-02T03:04:05Z&order=asc")
    assert (query.page, query.limit, query.include_total, query.search, query.order) == (2, 50, True, "a b", "asc")
    assert query.created_at_ge is not None
    assert query.created_at_ge.isoformat() == "2026-01-02T03:04:05+00:00"


def test_an_empty_cursor_is_there_and_no_cursor_is_not() -> None:
    assert asked(b"cursor=").cursor == ""
    assert asked(b"").cursor is None


@pytest.mark.parametrize(
    "raw",
    [
        b"page=0", b"page=-1", b"page=abc", b"page=", b"page=1.5", b"page=%D9%A3", b"page=1&page=1", b"limit=0",
        b"limit=201", b"limit=10000", b"nope=1", b"Page=1", b"order=up", b"status=gone", b"search=", b"search=%ff",
        b"search=a%00b", b"createdAtGe=yesterday", b"createdAtGe=2026-01-02T03:04:05", b"\xff=1", b"includeTotal=maybe",
        b"limit=null", b"includeTotal=null", b"createdAtGe=Null", b"limit=1e1", b"page=2.0", b"limit=%2B5",
        b"includeTotal=1", b"includeTotal=TRUE", b"createdAtGe=1700000000", b"createdAtGe=1.7e9",
        b"sort=" + b"x" * 50, b"&".join(b"a%d=1" % number for number in range(60)),
    ],
)  # fmt: skip
def test_anything_unknown_repeated_or_wrong_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidArgument) as caught:
        asked(raw)
    assert caught.value.reason == "invalid_query"


def test_the_refusal_names_the_parameter() -> None:
    with pytest.raises(InvalidArgument) as caught:
        asked(b"page=1&nope=1")
    assert [(item.pointer, item.code) for item in caught.value.violations] == [("#/nope", "unknown_parameter")]


def test_a_route_without_parameters_takes_none() -> None:
    assert decode_query({}, NoQuery) == NoQuery()
    with pytest.raises(InvalidArgument):
        decode_query({"a": "1"}, NoQuery)


def test_all_bad_parameters_are_named_at_once() -> None:
    for raw, pointers in (
        (b"page=0&limit=x&nope=1&status=gone", ["#/page", "#/limit", "#/nope", "#/status"]),
        (b"search=%ff&tags=a%00b&page=1&page=2", ["#/search", "#/tags", "#/page"]),
    ):
        with pytest.raises(InvalidArgument) as caught:
            asked(raw)
        assert [item.pointer for item in caught.value.violations] == pointers


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        (b"limit=201", "Expected integer <= 200."),
        (b"page=0", "Expected integer >= 1."),
        (b"limit=many", "Expected a whole number in decimal digits."),
        (b"includeTotal=maybe", "Expected true or false."),
        (b"createdAtGe=yesterday", "Expected a time as of RFC 3339."),
        (b"createdAtGe=2026-13-02T03:04:05Z", "Expected a time as of RFC 3339."),
        (b"createdAtGe=2026-01-02T03:04:05", "Expected time as of RFC 3339 with a timezone component."),
        (b"order=up", "Expected one of: asc, desc."),
    ],
)
def test_a_refusal_says_what_is_taken(raw: bytes, detail: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        asked(raw)
    assert [violation.detail for violation in caught.value.violations] == [detail]
