"""Lists: both modes give every row once, in order, for one organization, at a cost that does not grow with depth."""

import json
import random
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from libs.cache.memory import Memory
from libs.errors import InvalidArgument
from libs.paging import CursorCodec, ListRules, Page, PageRequest
from libs.postgres import Database, Record, count_statements
from libs.postgres.listing import Filter, Listing, _Query, fetch_page

RULES = ListRules(sorts={"createdAt": "t.created_at", "name": "t.name", "size": "t.size", "price": "t.price"})
THINGS = Listing(
    select="t.id, t.name, t.size",
    source="thing t",
    rules=RULES,
    tie="t.id",
    org="t.org_id",
    created="t.created_at",
    nullable=frozenset({"size"}),
)
CODEC = CursorCodec(b"k" * 32)
START = datetime(2026, 1, 1, tzinfo=UTC)
ROWS = 137


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def things(db: Database) -> None:
    """Two organizations; names, sizes, prices and even times repeat, and a third of the sizes are null."""
    db.list_totals = Memory("list_totals", max_entries=10)
    seeded = random.Random(3)
    for org in ("org_a", "org_b"):
        rows = [
            (
                org, f"t{number:04}", seeded.choice("abcde"), seeded.choice((None, 1, 2)),
                seeded.randrange(3), START + timedelta(hours=seeded.randrange(40)),
            )
            for number in range(ROWS)
        ]  # fmt: skip
        async with db.transaction(org) as conn:
            await conn.executemany(
                "insert into thing (org_id, id, name, size, price, created_at) values ($1, $2, $3, $4, $5, $6)", rows
            )


@pytest.fixture(autouse=True)
def standing_still(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept for a time is kept however long a busy machine takes."""
    now = time.monotonic()
    monkeypatch.setattr(db.list_totals, "_now", lambda: now)


async def page(
    db: Database, request: PageRequest, filters: list[Filter] | None = None, org: str = "org_a"
) -> Page[Record]:
    return await fetch_page(db, org, THINGS, request, filters or [], CODEC)


async def walk(db: Database, request: PageRequest, filters: list[Filter] | None = None) -> list[str]:
    """Every id of a list by cursors."""
    found: list[str] = []
    request = replace(request, cursor_mode=True)
    while True:
        answer = await page(db, request, filters)
        found += [row["id"] for row in answer.items]
        assert answer.has_more == bool(answer.next_cursor)
        if not answer.has_more:
            return found
        assert len(answer.items) == request.limit
        request = replace(request, cursor=answer.next_cursor)


async def expected(db: Database, sort: str, descending: bool) -> list[str]:
    way = "desc" if descending else "asc"
    column = RULES.sorts[sort]
    rows = await db.fetch(
        "org_a", f"select t.id from thing t where t.org_id = o.org order by {column} {way} nulls last, t.id {way}"
    )
    return [row["id"] for row in rows]


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("sort", list(RULES.sorts))
@pytest.mark.parametrize("limit", [1, 10, 137])
async def test_cursors_and_pages_give_every_row_once_in_order(
    db: Database, sort: str, descending: bool, limit: int
) -> None:
    wanted = await expected(db, sort, descending)
    request = PageRequest(limit=limit, sort=sort, descending=descending)
    assert await walk(db, request) == wanted
    numbers = range(1, -(-ROWS // limit) + 1) if limit > 1 else (1, 2, 69, 137)
    for number in numbers:
        answer = await page(db, replace(request, page=number))
        assert [row["id"] for row in answer.items] == wanted[(number - 1) * limit : number * limit]
        assert (answer.total, answer.total_is_estimate) == (ROWS, False)
        assert answer.has_more == (number * limit < ROWS)


async def test_a_page_answers_cursor_continues_it(db: Database) -> None:
    first = await page(db, PageRequest(limit=100))
    rest = await page(db, PageRequest(limit=100, cursor_mode=True, cursor=first.next_cursor))
    assert [row["id"] for row in [*first.items, *rest.items]] == await expected(db, "createdAt", True)
    assert (rest.page, rest.total, rest.next_cursor) == (0, None, "")


async def test_past_the_end_is_an_empty_page(db: Database) -> None:
    answer = await page(db, PageRequest(page=50, limit=10))
    assert (answer.items, answer.total, answer.has_more) == ([], ROWS, False)


async def test_filters_and_the_window_narrow_rows_and_total(db: Database) -> None:
    filters: list[Filter] = [("t.name = {}", "a"), ("t.size is not null", None)]
    request = PageRequest(
        limit=5, include_total=True, created_at_ge=START + timedelta(hours=5), created_at_lt=START + timedelta(hours=30)
    )
    wanted = await db.fetchval(
        "org_a",
        "select count(*) from thing t where t.org_id = o.org and t.name = 'a' and t.size is not null "
        "and t.created_at >= $2 and t.created_at < $3",
        request.created_at_ge,
        request.created_at_lt,
    )
    assert wanted > 5
    found = await walk(db, request, filters)
    assert len(found) == len(set(found)) == wanted
    assert (await page(db, request, filters)).total == wanted


async def test_rows_inserted_while_reading_neither_repeat_nor_hide_others(db: Database) -> None:
    before = await walk(db, PageRequest(limit=50))
    first = await page(db, PageRequest(limit=50, cursor_mode=True))
    async with db.transaction("org_a") as conn:
        await conn.execute("insert into thing (org_id, id) values ('org_a', 'fresh')")
    try:
        rest = await page(db, PageRequest(limit=200, cursor_mode=True, cursor=first.next_cursor))
        assert [row["id"] for row in [*first.items, *rest.items]] == before
    finally:
        async with db.transaction("org_a") as conn:
            await conn.execute("delete from thing where id = 'fresh'")


@pytest.mark.parametrize(
    "change",
    [
        {"sort": "name"},
        {"descending": False},
        {"created_at_ge": START},
        {"filters": [("t.name = {}", "a")]},
        {"org": "org_b"},
    ],
)
async def test_a_cursor_fits_only_its_own_list(db: Database, change: dict[str, Any]) -> None:
    cursor = (await page(db, PageRequest(limit=10))).next_cursor
    org, filters = change.pop("org", "org_a"), change.pop("filters", [])
    request = replace(PageRequest(limit=10, cursor_mode=True, cursor=cursor), **change)
    with pytest.raises(InvalidArgument) as refusal:
        await page(db, request, filters, org)
    assert refusal.value.reason == "invalid_cursor"


@pytest.mark.parametrize(
    "change",
    [{"rules": ListRules(sorts={"createdAt": "t.id"})}, {"tie": "t.name"}, {"source": "thing t cross join now"}],
)
async def test_a_cursor_made_before_the_list_changed_is_refused(db: Database, change: dict[str, Any]) -> None:
    """Its times would be compared with ids, which only the driver would notice."""
    old = await fetch_page(db, "org_a", THINGS, PageRequest(limit=10), [], CODEC)
    request = PageRequest(limit=10, cursor_mode=True, cursor=old.next_cursor)
    with pytest.raises(InvalidArgument) as refusal:
        await fetch_page(db, "org_a", replace(THINGS, **change), request, [], CODEC)
    assert refusal.value.reason == "invalid_cursor"


async def test_a_list_costs_one_statement_with_its_count(db: Database) -> None:
    with count_statements() as counter:
        await page(db, PageRequest(limit=10, cursor_mode=True))
    assert counter.total == 1
    with count_statements() as counter:
        counted = await page(db, PageRequest(limit=10))
    assert counter.total == 1
    assert counted.total == 137


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("sort", ["createdAt", "name", "size"])
async def test_a_walked_condition_finds_what_a_filter_finds(db: Database, sort: str, descending: bool) -> None:
    found, request = [], PageRequest(limit=7, cursor_mode=True, sort=sort, descending=descending)
    while True:
        answer = await fetch_page(db, "org_a", THINGS, request, [], CODEC, walked=[("_tie like {}", "%3%")])
        found += [row["id"] for row in answer.items]
        if not answer.next_cursor:
            break
        request = replace(request, cursor=answer.next_cursor)
    filtered = PageRequest(limit=7, sort=sort, descending=descending)
    assert found == await walk(db, filtered, [("t.id like {}", "%3%")])
    assert len(found) > 14


@pytest.mark.parametrize("sort", ["createdAt", "name"])
async def test_a_walked_condition_is_asked_until_the_page_is_full(db: Database, sort: str) -> None:
    """Also in an order without an index, for which every row is sorted."""
    admin = await asyncpg.connect(db.settings.database_admin_url)
    await admin.execute(
        "drop sequence if exists thing.asked; create sequence thing.asked; grant usage on thing.asked to public"
    )
    walked: list[Filter] = [("nextval('asked') > 0", None)]
    answer = await fetch_page(db, "org_a", THINGS, PageRequest(limit=10, sort=sort), [], CODEC, walked=walked)
    assert (len(answer.items), answer.total, answer.has_more) == (10, None, True)
    assert await admin.fetchval("select last_value from thing.asked") == 11
    await admin.close()


async def test_a_page_without_rows_still_has_its_total(db: Database) -> None:
    beyond = await page(db, PageRequest(page=100, limit=10))
    assert (beyond.items, beyond.total, beyond.has_more) == ([], 137, False)
    none = await fetch_page(db, "org_none", THINGS, PageRequest(limit=10), [], CODEC)
    assert (none.items, none.total) == ([], 0)


async def grow(db: Database, org: str, count: int) -> None:
    """So many things of the organization, the first the newest, known to the planner."""
    async with db.transaction(org) as conn:
        await conn.execute(
            "insert into thing (org_id, id, name, created_at) "
            "select $1, 't' || n, 'n' || n % 2, now() - n * interval '1 s' from generate_series(1, $2::int) n",
            org,
            count,
            timeout=60,
        )
    admin = await asyncpg.connect(db.settings.database_admin_url)
    await admin.execute("vacuum analyze thing.thing")
    await admin.close()


async def shrink(db: Database, org: str, count: int) -> None:
    """Leave the newest so many things of the organization."""
    async with db.transaction(org) as conn:
        await conn.execute("delete from thing where org_id = $1 and substr(id, 2)::int > $2", org, count, timeout=60)


async def test_beyond_ten_thousand_rows_the_total_is_an_estimate(db: Database) -> None:
    await grow(db, "org_big", 30_000)
    answer = await page(db, PageRequest(limit=10), org="org_big")
    assert answer.total_is_estimate
    assert answer.total is not None
    assert 25_000 < answer.total < 35_000


async def test_an_estimate_is_kept_and_costs_the_pages_after_it_nothing(db: Database) -> None:
    await grow(db, "org_kept", 12_000)
    first = await page(db, PageRequest(limit=10), org="org_kept")
    kept = (first.total, True)
    one = PageRequest(limit=10, cursor_mode=True, include_total=True)
    for request in (PageRequest(limit=10), PageRequest(page=50, limit=200), PageRequest(limit=5, sort="name"), one):
        with count_statements() as counter:
            answer = await page(db, request, org="org_kept")
        assert (answer.total, answer.total_is_estimate) == kept
        [statement] = counter.statements
        assert "count(*)" not in statement
    # The rows are never kept.
    async with db.transaction("org_kept") as conn:
        await conn.execute("insert into thing (org_id, id) values ('org_kept', 'fresh')")
    assert (await page(db, PageRequest(limit=10), org="org_kept")).items[0]["id"] == "fresh"


async def test_a_kept_estimate_is_of_one_organization_and_filter(db: Database) -> None:
    await grow(db, "org_mine", 12_000)
    await grow(db, "org_theirs", 50)
    asked = PageRequest(limit=10)
    for wanted in ([], [("t.name <> {}", "n2")]):
        assert (await page(db, asked, wanted, "org_mine")).total_is_estimate
    others: list[tuple[str, PageRequest, list[Filter], int]] = [
        ("org_theirs", asked, [], 50),
        ("org_mine", asked, [("t.name = {}", "n1")], 6_000),
        ("org_mine", asked, [("t.name <> {}", "n1")], 6_000),
        ("org_mine", replace(asked, created_at_lt=START), [], 0),
    ]
    for org, request, filters, total in others:
        answer = await page(db, request, filters, org)
        assert (answer.total, answer.total_is_estimate) == (total, False)


async def test_an_estimate_is_kept_for_its_time_alone(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await grow(db, "org_timed", 11_000)
    now = time.monotonic()
    monkeypatch.setattr(db.list_totals, "_now", lambda: now)
    assert (await page(db, PageRequest(limit=10), org="org_timed")).total_is_estimate
    await shrink(db, "org_timed", 9_000)
    now += db.settings.list_total_seconds - 1
    assert (await page(db, PageRequest(limit=10), org="org_timed")).total_is_estimate
    now += 2
    answer = await page(db, PageRequest(limit=10), org="org_timed")
    assert (answer.total, answer.total_is_estimate) == (9_000, False)


@pytest.mark.parametrize(
    ("left", "asked", "total"),
    [(205, 21, 205), (210, 21, 210), (5, 1, 5), (0, 1, 0), (200, 21, 200), (7, 40, 7), (0, 2, 0)],
    ids=["part of a page", "a full page", "part of the first", "nothing", "ends before", "ends far before", "none"],
)
async def test_a_page_that_shows_the_end_of_a_shrunken_list_has_its_exact_total(
    db: Database, left: int, asked: int, total: int
) -> None:
    org = f"org_shrunk_{left}_{asked}"
    await grow(db, org, 10_001)
    assert (await page(db, PageRequest(page=asked, limit=10), org=org)).total_is_estimate
    await shrink(db, org, left)
    answer = await page(db, PageRequest(page=asked, limit=10), org=org)
    assert (answer.total, answer.total_is_estimate, answer.has_more) == (total, False, False)
    assert len(answer.items) == max(0, min(10, left - 10 * (asked - 1)))
    # No page after it goes back to the estimate.
    again = await page(db, PageRequest(limit=1), org=org)
    assert (again.total, again.total_is_estimate) == (total, False)


async def test_the_end_that_a_cursor_reaches_says_nothing_of_the_rows_before_it(db: Database) -> None:
    await grow(db, "org_walked", 10_500)
    asked = PageRequest(limit=200, cursor_mode=True, include_total=True)
    answer = await page(db, asked, org="org_walked")
    total, seen = answer.total, len(answer.items)
    while answer.has_more:
        answer = await page(db, replace(asked, cursor=answer.next_cursor), org="org_walked")
        seen += len(answer.items)
        assert (answer.total, answer.total_is_estimate) == (total, True)
    assert seen == 10_500


async def test_a_page_of_a_large_list_reads_no_more_than_one_of_a_small_list(db: Database) -> None:
    """Buffers touched for what the second page in a row asks, as the server counts them."""
    await grow(db, "org_hundred", 100)
    await grow(db, "org_thousands", 20_000)

    async def buffers(org: str) -> int:
        await page(db, PageRequest(limit=10), org=org)
        with count_statements() as counter:
            await page(db, PageRequest(limit=10), org=org)
        [statement] = counter.statements
        async with db.transaction(org) as conn:
            plan = await conn.fetchval(f"explain (analyze, buffers, format json) {statement}", org)
        top = json.loads(plan)[0]["Plan"]
        return int(top["Shared Hit Blocks"] + top["Shared Read Blocks"])

    # An index of more levels.
    assert await buffers("org_thousands") <= await buffers("org_hundred") + 5


@pytest.mark.parametrize("sort", ["createdAt", "size"])
async def test_a_deep_cursor_reads_no_more_than_a_shallow_one(db: Database, sort: str) -> None:
    """Buffers touched for one page, as the server counts them."""
    async with db.transaction("org_deep") as conn:
        await conn.execute(
            "insert into thing (org_id, id, size, created_at) "
            "select 'org_deep', lpad(n::text, 6, '0'), n, now() - n * interval '1 s' "
            "from generate_series(1, 20000) n on conflict do nothing"
        )

    async def buffers(cursor_values: tuple[Any, Any] | None) -> int:
        sql, *args = _Query(THINGS, PageRequest(limit=20, cursor_mode=True, sort=sort), []).rows(cursor_values)
        async with db.transaction("org_deep") as conn:
            plan = await conn.fetchval(
                "explain (analyze, buffers, format json) " + sql.replace("o.org", "$1"), "org_deep", *args
            )
        top = json.loads(plan)[0]["Plan"]
        return int(top["Shared Hit Blocks"] + top["Shared Read Blocks"])

    at = "select t.created_at, t.size, t.id from thing t where t.org_id = o.org and t.size = $2"
    row = await db.fetchrow("org_deep", at, 15_000 if sort == "createdAt" else 5_000)
    assert row is not None
    deep = (row["created_at"] if sort == "createdAt" else row["size"], row["id"])
    assert await buffers(deep) <= await buffers(None) + 10
