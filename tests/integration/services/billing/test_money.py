"""Money: whatever is repeated, reordered or done at once, the sum is the same and the ledger sums to zero."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Awaitable
from datetime import timedelta

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from echosenseix.events.v1 import events_pb2
from libs.errors import Aborted, AlreadyExists, InvalidArgument
from libs.events import Event, ReceivedEvent
from libs.ids import new_id
from services.billing.domain.amounts import MICRO
from services.billing.domain.rating import Rate, rate_usage

from .conftest import GRANT, NOON, Billing, call_event, usage

MINUTE = 100_000  # of a call, in millionths
CALL_RATE = Rate("call_seconds", MINUTE, 60, MICRO, "USD", NOON)


async def check_books(billing: Billing, org: str, expected_micros: int) -> None:
    """Every transaction balances, the balance is the sum of the entries, and each entry follows from the one before."""
    balance = await billing.balance(org)
    sums: dict[str, int] = defaultdict(int)
    legs = await billing.legs(org)
    for transaction, _, amount in legs:
        sums[transaction] += amount
    assert set(sums.values()) <= {0}
    assert sum(amount for _, account, amount in legs if account == "customer") == expected_micros
    assert balance.posted_micros == balance.available_micros == expected_micros
    sql = """select e.amount_micros, e.balance_after_micros from ledger_entry e
             where e.org_id = $1 and e.account = 'customer'"""
    rows = await billing.database.system_fetch(sql, org)
    reached = {row["balance_after_micros"] for row in rows}
    started = {row["balance_after_micros"] - row["amount_micros"] for row in rows if row["amount_micros"]}
    assert started - reached <= {0}


async def test_a_new_organization_has_its_trial_credit_once(billing: Billing) -> None:
    org = new_id("org")
    balances = await asyncio.gather(*(billing.balance(org) for _ in range(50)))
    assert {balance.available_micros for balance in balances} == {GRANT}
    async with billing.database.system_transaction(org) as conn:
        await billing.subscribers.on_organization(conn, call_event(org, org, 0, topic="org.created"))
    (entry,) = await billing.ledger(org)
    assert (entry.type, entry.amount_micros, entry.balance_after_micros) == ("grant", GRANT, GRANT)
    await check_books(billing, org, GRANT)


async def test_a_customer_of_an_agency_has_no_trial_credit_whatever_comes_first(billing: Billing) -> None:
    """An agency makes as many customers as it likes."""
    for asked_before in (False, True):
        org = new_id("org")
        if asked_before:
            assert (await billing.balance(org)).available_micros == GRANT
        for _ in range(2):
            async with billing.database.system_transaction(org) as conn:
                await billing.subscribers.on_organization(conn, created_by_an_agency(org))
        assert (await billing.balance(org)).available_micros == 0
        assert [entry.amount_micros for entry in await billing.ledger(org)] == ([-GRANT, GRANT] if asked_before else [])
        await check_books(billing, org, 0)


def created_by_an_agency(org: str) -> ReceivedEvent:
    data = events_pb2.OrganizationChanged(organization_id=org, name="Customer", parent_id=new_id("org"))
    return ReceivedEvent.parse(Event(topic="org.created", org_id=org, key=org, data=data).payload().encode())


async def test_the_ledger_shows_the_grant_before_anything_else_was_asked(billing: Billing) -> None:
    assert [entry.type for entry in await billing.ledger(new_id("org"))] == ["grant"]


async def test_a_call_is_metered_once_and_named(billing: Billing) -> None:
    org, call = new_id("org"), new_id("call")
    for topic in ("call.ended", "call.ended", "call.updated"):
        await billing.hear_call(call_event(org, call, 37, topic=topic))
    await billing.settled(org)
    entry, _ = await billing.ledger(org)
    assert (entry.type, entry.call_id, entry.amount_micros) == ("usage", call, -61_667)
    assert entry.usage_event_id == "ue_" + call.removeprefix("call_")
    assert await billing.topics(org) == ["usage.recorded"]
    await check_books(billing, org, GRANT - 61_667)


async def test_a_call_that_never_began_is_not_metered(billing: Billing) -> None:
    org = new_id("org")
    await billing.hear_call(call_event(org, new_id("call"), 60, billable=False))
    await billing.settled(org)
    assert [entry.type for entry in await billing.ledger(org)] == ["grant"]
    assert (await billing.usage_rows(org)).page_info.total == 0


async def test_calls_are_metered_into_debt(billing: Billing) -> None:
    org = new_id("org")
    for _ in range(3):
        await billing.hear_call(call_event(org, new_id("call"), 6_000))
    await billing.settled(org)
    await check_books(billing, org, GRANT - 3 * 100 * MINUTE)
    assert (await billing.topics(org)).count("credit.depleted") == 1
    assert (await billing.topics(org)).count("credit.low") == 1


async def test_the_same_event_again_is_a_duplicate_another_body_a_conflict(billing: Billing) -> None:
    org = new_id("org")
    assert await billing.record(org, usage("a"), usage("b", "1.5", "llm_tokens", tool="x")) == (2, 0)
    assert await billing.record(org, usage("a", "60.0"), usage("c")) == (1, 1)
    before = await billing.balance(org)
    with pytest.raises(AlreadyExists, match="usage_event_conflict"):
        await billing.record(org, usage("d"), usage("a", "61"))
    with pytest.raises(AlreadyExists, match="usage_event_conflict"):
        await billing.record(org, usage("e"), usage("e", "61"))
    with pytest.raises(AlreadyExists, match="usage_event_conflict"):
        await billing.record(org, usage("b", "1.5", "llm_tokens", tool="y"))
    assert await billing.record(org, usage("f"), usage("f")) == (1, 1)
    assert (await billing.balance(org)).available_micros == before.available_micros - MINUTE
    assert await billing.record(new_id("org"), usage("a", "61")) == (1, 0)


@pytest.mark.parametrize(
    ("event", "pointer"),
    [
        (usage("x", "-1"), "#/events/0/value"),
        (usage("x", "1e3"), "#/events/0/value"),
        (usage("x", " 1"), "#/events/0/value"),
        (usage("x", "1.0000001"), "#/events/0/value"),
        (usage("x", "NaN"), "#/events/0/value"),
        (usage("x", "9" * 13), "#/events/0/value"),
        (usage("x", "١"), "#/events/0/value"),
        (usage("x", meter="unheard_of"), "#/events/0/meter"),
        (usage(""), "#/events/0/id"),
        (usage("ue_" + "0" * 26), "#/events/0/id"),
        (usage("x", at=NOON + timedelta(days=3_650)), "#/events/0/timestamp"),
    ],
)
async def test_what_breaks_a_rule_is_pointed_at(billing: Billing, event: object, pointer: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        await billing.record(new_id("org"), event)  # type: ignore[arg-type]
    assert [violation.pointer for violation in refusal.value.violations] == [pointer]


async def test_a_batch_has_one_to_a_hundred_events(billing: Billing) -> None:
    org = new_id("org")
    for events in ([], [usage(str(i)) for i in range(101)]):
        with pytest.raises(InvalidArgument):
            await billing.record(org, *events)
    assert await billing.record(org, *(usage(str(i), "6") for i in range(100))) == (100, 0)
    await check_books(billing, org, GRANT - 10 * MINUTE)


async def test_top_ups_need_a_key_and_happen_once(billing: Billing) -> None:
    org, key = new_id("org"), new_id("key")
    with pytest.raises(InvalidArgument, match="idempotency_key_required"):
        await billing.top_up(org, 1_000_000, key="")
    first = await billing.top_up(org, 5_000_000, key=key)
    again = await billing.top_up(org, 5_000_000, key=key)
    assert again == first
    assert first.entry.type == "top_up"
    assert first.balance.available_micros == GRANT + 5_000_000
    with pytest.raises(InvalidArgument, match="idempotency_key_reused"):
        await billing.top_up(org, 6_000_000, key=key)
    assert await billing.topics(org) == ["credit.topped_up"]
    await check_books(billing, org, GRANT + 5_000_000)


@pytest.mark.parametrize("micros", [0, -1_000_000, 9_999, 1_234_567, 100_000_010_000])
async def test_amounts_that_cannot_be_paid_are_refused(billing: Billing, micros: int) -> None:
    org = new_id("org")
    with pytest.raises(InvalidArgument, match="validation_failed"):
        await billing.top_up(org, micros, key=new_id("key"))
    with pytest.raises(InvalidArgument, match="validation_failed"):
        await billing.top_up(org, 1_000_000, key=new_id("key"), currency="EUR")
    await check_books(billing, org, GRANT)


async def test_a_thousand_spends_at_once_sum_up(billing: Billing) -> None:
    """1,000 requests: 400 distinct events in random order, late ones among them, the rest repetitions."""
    org, chance = new_id("org"), random.Random(7)
    distinct = [usage(f"u{i}", "60", at=NOON - timedelta(days=chance.randrange(400))) for i in range(400)]
    sent = distinct + [chance.choice(distinct) for _ in range(600)]
    chance.shuffle(sent)
    answers = []
    for start in range(0, len(sent), 100):
        answers += await asyncio.gather(*(billing.record(org, event) for event in sent[start : start + 100]))
    assert sum(accepted for accepted, _ in answers) == 400
    assert sum(duplicates for _, duplicates in answers) == 600
    await check_books(billing, org, GRANT - 400 * MINUTE)
    assert (await billing.topics(org)).count("usage.recorded") == 400
    assert (await billing.topics(org)).count("credit.depleted") == 1


async def test_calls_batches_and_top_ups_at_once_keep_the_books(billing: Billing) -> None:
    org, calls = new_id("org"), [new_id("call") for _ in range(60)]
    work: list[Awaitable[object]] = [billing.hear_call(call_event(org, call, 60)) for call in calls for _ in range(2)]
    work += [billing.record(org, *(usage(f"b{i}.{j}", "6") for j in range(20))) for i in range(20)]
    work += [billing.top_up(org, 1_000_000, key=f"{org}-{i}") for i in range(20)]
    random.Random(3).shuffle(work)
    await asyncio.gather(*work)
    await billing.settled(org)
    await check_books(billing, org, GRANT - 60 * MINUTE - 400 * MINUTE // 10 + 20_000_000)
    billing.call_log.calls[org] = [(call, 60.0, NOON) for call in calls]
    assert not (await billing.reconcile(org)).differences


@pytest.mark.parametrize(
    "sql",
    [
        "update {} set created_at = now()",
        "delete from {}",
        "truncate {} cascade",
    ],
)
@pytest.mark.parametrize("table", ["ledger_entry", "ledger_transaction", "usage_event", "usage_rating"])
async def test_no_one_changes_what_was_written(billing: Billing, sql: str, table: str) -> None:
    await billing.record(new_id("org"), usage("a"))
    statement = sql.format(table).replace("created_at", "rated_at" if table == "usage_rating" else "created_at")
    admin = await asyncpg.connect(billing.database.settings.database_admin_url)
    try:
        await admin.execute("set search_path = billing")
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="append-only"):
            await admin.execute(statement)
    finally:
        await admin.close()


_TRANSACTION = """insert into ledger_transaction (org_id, id, type, key, created_at)
    values ($1, 't', 'grant', 'k', now())"""
_LEG = """insert into ledger_entry (org_id, id, transaction_id, account, type, amount_micros, currency,
    balance_after_micros, call_id, usage_event_id, description, created_at)
    values ($1, $2, $3, $4, 'grant', $5, 'USD', $6, '', '', '', now())"""


async def write(billing: Billing, org: str, *statements: tuple[object, ...]) -> None:
    async with billing.database.transaction(org) as conn:
        for sql, *args in statements:
            await conn.execute(str(sql), org, *args)


async def test_an_unbalanced_transaction_cannot_be_committed(billing: Billing) -> None:
    org = new_id("org")
    await billing.balance(org)
    unequal = [("a", "t", "customer", 5, 5), ("b", "t", "promotions", -4, None)]
    with pytest.raises(asyncpg.CheckViolationError, match="not balanced"):
        await write(billing, org, (_TRANSACTION,), *((_LEG, *leg) for leg in unequal))
    with pytest.raises(asyncpg.CheckViolationError, match="not balanced"):
        await write(billing, org, (_TRANSACTION,), (_LEG, "a", "t", "customer", 0, 0))
    (transaction, _, _), _ = await billing.legs(org)
    with pytest.raises(asyncpg.CheckViolationError, match="not balanced"):
        await write(billing, org, (_LEG, "c", transaction, "payments", 1, None))
    await check_books(billing, org, GRANT)


acts = st.lists(
    st.one_of(
        st.tuples(st.just("call"), st.integers(0, 5), st.integers(0, 400)),
        st.tuples(st.just("usage"), st.integers(0, 8), st.integers(0, 400)),
        st.tuples(st.just("top_up"), st.integers(0, 3), st.integers(1, 3)),
    ),
    max_size=30,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=acts, together=st.integers(1, 12), late=st.integers(0, 400))
async def test_any_interleaving_gives_the_same_sum(
    billing: Billing, acts: list[tuple[str, int, int]], together: int, late: int
) -> None:
    """Calls, usage and top-ups, repeated and reordered, some at once: each distinct thing counts once."""
    org, expected = new_id("org"), GRANT
    calls, seen = [new_id("call") for _ in range(6)], set[tuple[str, int]]()
    work: list[Awaitable[object]] = []
    for kind, number, size in acts:
        first = (kind, number) not in seen
        seen.add((kind, number))
        if kind == "call":
            seconds = 10 * (number + 1)
            work.append(billing.hear_call(call_event(org, calls[number], seconds, at=NOON - timedelta(days=size))))
            expected -= first * rate_usage(CALL_RATE, seconds * MICRO)
        elif kind == "usage":
            event = usage(f"u{number}", str(7 * number), at=NOON - timedelta(days=late))
            work.append(billing.record(org, event))
            expected -= first * rate_usage(CALL_RATE, 7 * number * MICRO)
        else:
            work.append(billing.top_up(org, (number + 1) * MICRO, key=f"{org}-{number}"))
            expected += first * (number + 1) * MICRO
    for start in range(0, len(work), together):
        answers = await asyncio.gather(*work[start : start + together], return_exceptions=True)
        # The same key twice at once: the second is told to come back, and nothing happens for it.
        assert all(not isinstance(answer, Exception) or isinstance(answer, Aborted) for answer in answers)
    await billing.settled(org)
    await check_books(billing, org, expected)
