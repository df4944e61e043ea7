"""Merged lists against in-memory services that page as the real ones do: by a cursor after the last row."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echosenseix.common.v1 import common_pb2
from echosenseix.jobs.v1 import jobs_pb2 as pb
from gateway.http.lists import ListAnswer
from gateway.http.merged_lists import FetchPage, merged_page
from libs.errors import InvalidArgument, OutOfRange
from libs.paging import CursorCodec, ListRules

CODEC = CursorCodec(b"k" * 32)


def job(name: str, birth: int) -> pb.Job:
    return pb.Job(id=f"job_{name}_{birth:06d}")


class Service:
    """Rows by id; a cursor is the id of the last row."""

    def __init__(self, rows: list[pb.Job]) -> None:
        self.rows = rows
        self.asked = 0
        self.limits: list[int] = []

    async def fetch(self, request: common_pb2.PageRequest) -> tuple[list[pb.Job], common_pb2.PageInfo]:
        self.asked += 1
        self.limits.append(request.limit)
        assert request.cursor_mode
        descending = request.order == "desc"
        rows = sorted(self.rows, key=lambda row: row.id, reverse=descending)
        if request.cursor:
            rows = [row for row in rows if (row.id < request.cursor if descending else row.id > request.cursor)]
        page, more = rows[: request.limit], len(rows) > request.limit
        info = common_pb2.PageInfo(limit=request.limit, has_more=more)
        info.next_cursor = page[-1].id if more else ""
        if request.include_total:
            info.total = len(self.rows)
        return page, info


def _key(row: pb.Job) -> tuple[str, str]:
    return row.id[-6:], row.id


async def page(services: Mapping[str, Service], scope: str = "s", **asked: Any) -> ListAnswer:
    fetchers: dict[str, FetchPage[pb.Job]] = {name: service.fetch for name, service in services.items()}
    return await merged_page(common_pb2.PageRequest(**asked), fetchers, CODEC, scope, lambda row: row.id)


async def walk(services: Mapping[str, Service], limit: int, order: str) -> list[str]:
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = await page(services, cursor=cursor, cursor_mode=True, limit=limit, order=order)
        assert len(answer.data) <= limit
        assert answer.has_more == (answer.next_cursor is not None)
        assert (answer.page, answer.total, answer.total_pages) == (None, None, None)
        seen += answer.data
        cursor = answer.next_cursor
    return seen


ROWS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 6)), max_size=30)


@settings(max_examples=60)
@given(ROWS, st.integers(1, 7), st.sampled_from(["asc", "desc"]))
async def test_walking_by_cursor_shows_every_row_once_and_in_order(
    rows: list[tuple[str, int]], limit: int, order: str
) -> None:
    services = {name: Service([]) for name in "abc"}
    for number, (name, seconds) in enumerate(rows):
        services[name].rows.append(job(name, seconds * 1_000 + number))
    everything = [row for service in services.values() for row in service.rows]
    expected = [row.id for row in sorted(everything, key=_key, reverse=order == "desc")]
    assert await walk(services, limit, order) == expected


@settings(max_examples=40)
@given(ROWS, st.integers(1, 7))
async def test_page_numbers_cut_the_same_list(rows: list[tuple[str, int]], limit: int) -> None:
    services = {name: Service([]) for name in "abc"}
    for number, (name, seconds) in enumerate(rows):
        services[name].rows.append(job(name, seconds * 1_000 + number))
    seen: list[str] = []
    for number in range(1, len(rows) // limit + 2):
        answer = await page(services, page=number, limit=limit)
        assert (answer.page, answer.total, answer.total_pages) == (number, len(rows), -(-len(rows) // limit))
        seen += answer.data
    assert seen == await walk(services, limit, "desc")


async def test_each_service_is_asked_for_a_share_first_and_for_whole_pages_then() -> None:
    even = {name: Service([job(name, n * 10 + place) for n in range(60)]) for place, name in enumerate("abcde")}
    assert len((await page(even, limit=50)).data) == 50
    assert [service.limits for service in even.values()] == [[20]] * 5
    skewed = {name: Service([job(name, n) for n in range(60 if name == "a" else 1)]) for name in "abcde"}
    assert len((await page(skewed, limit=50)).data) == 50
    assert [service.limits for service in skewed.values()] == [[20, 50], [20], [20], [20], [20]]
    alone = {"a": Service([job("a", n) for n in range(60)])}
    assert len((await page(alone, limit=50)).data) == 50
    # The row after the page says whether there is one.
    assert alone["a"].limits == [50, 50]


async def test_rows_that_appear_meanwhile_shift_nothing() -> None:
    services = {"a": Service([job("a", n) for n in range(1, 6)]), "b": Service([job("b", 3)])}
    first = await page(services, cursor_mode=True, limit=3)
    services["a"].rows.append(job("a", 9))
    services["b"].rows.append(job("b", 8))
    services["a"].rows = [row for row in services["a"].rows if row.id != first.data[-1]]
    second = await page(services, cursor=first.next_cursor, cursor_mode=True, limit=10)
    assert first.data + second.data == [
        f"job_{name}_{birth:06d}" for name, birth in (("a", 5), ("a", 4), ("b", 3), ("a", 3), ("a", 2), ("a", 1))
    ]


async def test_the_page_after_a_number_can_be_asked_by_cursor() -> None:
    services = {"a": Service([job("a", n) for n in range(1, 6)])}
    first = await page(services, page=1, limit=2)
    second = await page(services, cursor=first.next_cursor, limit=2)
    assert second.data == (await page(services, page=2, limit=2)).data
    assert second.page is None


async def test_a_cursor_fits_only_its_own_list_and_order() -> None:
    services = {"a": Service([job("a", n) for n in range(1, 6)])}
    cursor = (await page(services, cursor_mode=True, limit=2)).next_cursor
    for wrong in ({"scope": "other", "cursor": cursor}, {"cursor": cursor, "order": "asc"}, {"cursor": "nonsense"}):
        with pytest.raises(InvalidArgument, match="invalid_cursor"):
            await page(services, limit=2, **wrong)


async def test_a_cursor_made_before_the_order_changed_is_refused() -> None:
    services = {"a": Service([job("a", n) for n in range(1, 6)])}
    fetchers = {"a": services["a"].fetch}

    async def sorted_by(what: str, cursor: str = "") -> ListAnswer:
        rules = ListRules(sorts={"createdAt": what})
        asked = common_pb2.PageRequest(cursor=cursor, cursor_mode=True, limit=2)
        return await merged_page(asked, fetchers, CODEC, "s", lambda row: row.id, rules)

    cursor = (await sorted_by("time of creation")).next_cursor or ""
    assert (await sorted_by("time of creation", cursor)).data
    with pytest.raises(InvalidArgument, match="invalid_cursor"):
        await sorted_by("birth in id", cursor)


async def test_the_lists_rules_hold() -> None:
    services = {"a": Service([])}
    with pytest.raises(OutOfRange, match="page_out_of_range"):
        await page(services, page=101, limit=100)
    with pytest.raises(InvalidArgument, match="invalid_query"):
        await page(services, sort="name")
    answer = await page({}, page=1)
    assert (answer.data, answer.total, answer.total_pages, answer.has_more) == ([], 0, 0, False)


async def test_a_page_asks_each_service_once_when_that_will_do() -> None:
    services = {name: Service([job(name, n) for n in range(20)]) for name in "ab"}
    await page(services, cursor_mode=True, limit=10)
    assert {service.asked for service in services.values()} == {1}
