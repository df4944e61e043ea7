"""What billing shows: usage by group, usage events, the ledger, and the differences that reconciliation finds."""

from __future__ import annotations

from datetime import timedelta

import asyncpg
import pytest

from echosenseix.billing.v1 import billing_pb2
from echosenseix.common.v1 import common_pb2
from libs.errors import InvalidArgument, OutOfRange, PermissionDenied
from libs.ids import new_id
from libs.postgres import count_statements
from libs.rpc.times import to_timestamp

from .conftest import NOON, Billing, as_org, call_event, usage

DAY = timedelta(days=1)


async def used(billing: Billing) -> str:
    """An organization with five events: two agents, two providers, three days, two meters."""
    org = new_id("org")
    await billing.record(
        org,
        usage("1", "60", agentId="agt_a", provider="elevenlabs"),
        usage("2", "30", at=NOON + DAY, agentId="agt_a", provider="elevenlabs"),
        usage("3", "6", at=NOON + DAY, agentId="agt_b", provider="retell"),
        usage("4", "1500.5", "llm_tokens", at=NOON + 2 * DAY, agentId="agt_b"),
        usage("5", "0.5", at=NOON + 2 * DAY, agentId="agt_b", provider="retell"),
    )
    return org


async def test_usage_is_summed_by_what_is_asked(billing: Billing) -> None:
    org = await used(billing)
    rows = (await billing.usage_rows(org)).rows
    assert [(row.meter, row.quantity, row.amount_micros, row.events) for row in rows] == [
        ("chat_seconds", "96.5", 161_667, 4),
        ("llm_tokens", "1500.5", 3_002, 1),
    ]
    assert {row.currency for row in rows} == {"USD"}
    by_agent = (await billing.usage_rows(org, "agentId")).rows
    assert [(row.meter, row.agent_id, row.quantity) for row in by_agent] == [
        ("chat_seconds", "agt_a", "90"), ("chat_seconds", "agt_b", "6.5"), ("llm_tokens", "agt_b", "1500.5"),
    ]  # fmt: skip
    by_day = (await billing.usage_rows(org, "day", "provider")).rows
    assert [(row.day, row.provider) for row in by_day] == [
        ("2026-01-04", "retell"), ("2026-01-04", ""), ("2026-01-03", "elevenlabs"), ("2026-01-03", "retell"),
        ("2026-01-02", "elevenlabs"),
    ]  # fmt: skip
    window = {"from_time": to_timestamp(NOON + DAY), "to_time": to_timestamp(NOON + 2 * DAY)}
    assert [row.quantity for row in (await billing.usage_rows(org, **window)).rows] == ["36"]
    with pytest.raises(InvalidArgument, match="invalid_query"):
        await billing.usage_rows(org, "color")
    with pytest.raises(InvalidArgument, match="invalid_query"):
        await billing.usage_rows(org, from_time=to_timestamp(NOON), to_time=to_timestamp(NOON))


async def test_sums_page_in_both_modes(billing: Billing) -> None:
    org = await used(billing)
    whole = (await billing.usage_rows(org, "day", "agentId", "provider")).rows
    numbered, by_cursor, cursor = list[billing_pb2.UsageRow](), list[billing_pb2.UsageRow](), ""
    for page in (1, 2, 3):
        answer = await billing.usage_rows(
            org, "day", "agentId", "provider", page=common_pb2.PageRequest(page=page, limit=2)
        )
        assert answer.page_info.total == 5
        numbered += answer.rows
    for _ in range(3):
        wanted = common_pb2.PageRequest(limit=2, cursor_mode=True, cursor=cursor, include_total=True)
        answer = await billing.usage_rows(org, "day", "agentId", "provider", page=wanted)
        assert answer.page_info.total == 5
        by_cursor, cursor = [*by_cursor, *answer.rows], answer.page_info.next_cursor
    assert cursor == ""
    assert numbered == by_cursor == list(whole)
    past = await billing.usage_rows(org, page=common_pb2.PageRequest(page=9, limit=2))
    assert (list(past.rows), past.page_info.total, past.page_info.has_more) == ([], 2, False)
    with pytest.raises(OutOfRange):
        await billing.usage_rows(org, page=common_pb2.PageRequest(page=5_001, limit=2))


async def test_a_cursor_fits_only_its_grouping(billing: Billing) -> None:
    org = await used(billing)
    first = await billing.usage_rows(org, "day", page=common_pb2.PageRequest(limit=1, cursor_mode=True))
    wanted = common_pb2.PageRequest(limit=1, cursor=first.page_info.next_cursor)
    with pytest.raises(InvalidArgument, match="invalid_cursor"):
        await billing.usage_rows(org, "agentId", page=wanted)
    with pytest.raises(InvalidArgument, match="invalid_cursor"):
        await billing.usage_rows(new_id("org"), "day", page=wanted)


async def test_the_ledger_is_filtered_and_newest_first(billing: Billing) -> None:
    org, call = await used(billing), new_id("call")
    await billing.hear_call(call_event(org, call, 60))
    await billing.settled(org)
    entries = await billing.ledger(org)
    assert [entry.id for entry in entries] == sorted((entry.id for entry in entries), reverse=True)
    assert (entries[0].call_id, entries[-1].type) == (call, "grant")
    assert [entry.call_id for entry in await billing.ledger(org, call_id=call)] == [call]
    assert [entry.type for entry in await billing.ledger(org, type="grant")] == ["grant"]
    assert await billing.ledger(org, type="refund") == []
    assert await billing.ledger(new_id("org"), call_id=call) == []


async def test_usage_events_come_back_as_they_were_sent(billing: Billing) -> None:
    org = new_id("org")
    sent = usage("x", "1.50", "llm_tokens", model="small", count=3)
    await billing.record(org, sent)
    tokens = billing_pb2.ListUsageEventsRequest(meter="llm_tokens")
    seconds = billing_pb2.ListUsageEventsRequest(meter="chat_seconds")
    with as_org(org):
        (event,) = (await billing.servicer.ListUsageEvents(tokens, None)).events
        assert not (await billing.servicer.ListUsageEvents(seconds, None)).events
    assert (event.id, event.value, event.properties["count"]) == ("x", "1.5", 3)
    assert event.event_time == sent.event_time


async def test_reading_needs_the_scope_and_writing_the_other(billing: Billing) -> None:
    from echosenseix.billing.v1 import billing_pb2

    with as_org(new_id("org"), scopes=("calls:read",)), pytest.raises(PermissionDenied):
        await billing.servicer.GetBalance(billing_pb2.GetBalanceRequest(), None)
    with as_org(new_id("org"), scopes=("billing:read",), key="k"), pytest.raises(PermissionDenied):
        await billing.servicer.CreateTopUp(billing_pb2.CreateTopUpRequest(), None)


async def test_each_list_takes_two_statements(billing: Billing) -> None:
    """However many rows: no statement for each row."""
    org = await used(billing)
    for read in (lambda: billing.ledger(org), lambda: billing.usage_rows(org, "day")):
        with count_statements() as counter:
            await read()
        # The worker of this process looks for jobs meanwhile; reads of tenants go through the fence.
        assert 0 < sum("set_config('app.org'" in statement for statement in counter.statements) <= 2


async def test_reconcile_finds_nothing_where_nothing_is_wrong(billing: Billing) -> None:
    org, calls = new_id("org"), [new_id("call") for _ in range(3)]
    for minutes, call in enumerate(calls):
        await billing.hear_call(call_event(org, call, 37.5, at=NOON + timedelta(minutes=minutes)))
    await billing.record(org, usage("sent"))
    await billing.settled(org)
    billing.call_log.calls[org] = [(call, 37.5, NOON + timedelta(minutes=i)) for i, call in enumerate(calls)]
    found = await billing.reconcile(org)
    assert (found.calls, found.usage_events, found.ledger_entries, list(found.differences)) == (3, 4, 4, [])
    part = await billing.reconcile(org, NOON + timedelta(minutes=1), NOON + timedelta(minutes=2))
    assert (part.calls, part.usage_events, part.ledger_entries, list(part.differences)) == (1, 1, 1, [])


async def test_reconcile_names_what_differs(billing: Billing) -> None:
    org, unmetered, longer, lost = new_id("org"), new_id("call"), new_id("call"), new_id("call")
    await billing.hear_call(call_event(org, longer, 60))
    await billing.hear_call(call_event(org, lost, 60))
    await billing.settled(org)
    billing.call_log.calls[org] = [(unmetered, 1.0, NOON), (longer, 61.0, NOON)]
    found = {(each.kind, each.call_id) for each in (await billing.reconcile(org)).differences}
    assert found == {("call_without_usage", unmetered), ("amount_mismatch", longer), ("usage_without_call", lost)}


async def test_reconcile_names_usage_that_was_not_charged_and_a_wrong_balance(billing: Billing) -> None:
    org = new_id("org")
    await billing.balance(org)
    event = usage("unrated")
    async with billing.database.transaction(org) as conn:
        from services.billing.mapping import usage_event_from_proto

        await billing.books.usage.record(conn, org, [usage_event_from_proto(event, "#")], NOON)
    assert [each.kind for each in (await billing.reconcile(org)).differences] == ["usage_without_ledger"]
    async with billing.database.system_transaction() as conn:
        await conn.execute("update account set posted_micros = posted_micros + 1 where org_id = $1", org)
    kinds = [each.kind for each in (await billing.reconcile(org)).differences]
    assert kinds == ["usage_without_ledger", "amount_mismatch"]


async def test_reconcile_names_faults_that_triggers_would_have_stopped(billing: Billing) -> None:
    """With the triggers out of the way, as after a restore by hand."""
    org = new_id("org")
    await billing.balance(org)
    admin = await asyncpg.connect(billing.database.settings.database_admin_url)
    try:
        async with admin.transaction():
            await admin.execute("set local search_path = billing; set local session_replication_role = replica")
            await admin.execute(
                "insert into ledger_transaction (org_id, id, type, key, created_at)"
                " values ($1, 't', 'usage', 'k', now())", org,
            )  # fmt: skip
            await admin.execute(
                "insert into ledger_entry (org_id, id, transaction_id, account, type, amount_micros, currency,"
                " balance_after_micros, call_id, usage_event_id, description, created_at)"
                " values ($1, 'e', 't', 'customer', 'usage', -5, 'USD', 1, '', 'nowhere', '', now())", org,
            )  # fmt: skip
    finally:
        await admin.close()
    kinds = [each.kind for each in (await billing.reconcile(org)).differences]
    assert kinds == ["ledger_without_usage", "unbalanced_transaction", "amount_mismatch"]


async def test_a_call_on_its_way_is_waited_for(billing: Billing) -> None:
    """The call log has the call, its event has not arrived: nothing is wrong."""
    import asyncio

    org, call = new_id("org"), new_id("call")
    await billing.balance(org)
    billing.call_log.calls[org] = [(call, 60.0, NOON)]

    async def arrive() -> None:
        await asyncio.sleep(0.2)
        await billing.hear_call(call_event(org, call, 60))

    arriving = asyncio.create_task(arrive())
    assert not (await billing.reconcile(org)).differences
    await arriving


async def test_pages_of_calls_are_compared_range_by_range(billing: Billing) -> None:
    org, calls = new_id("org"), sorted(new_id("call") for _ in range(1_100))
    billing.call_log.calls[org] = [(call, 60.0, NOON) for call in calls]
    from services.billing.domain.usage import call_usage

    kept = [call for call in calls if call not in (calls[0], calls[999], calls[1_000], calls[-1])]
    for start in range(0, len(kept), 500):
        async with billing.database.transaction(org) as conn:
            events = [
                call_usage(call_id=call, quantity_micros=60_000_000, ended_at=NOON, agent_id="", provider="x")
                for call in kept[start : start + 500]
            ]
            await billing.books.usage.record(conn, org, events, NOON)
    async with billing.database.transaction(org) as conn:
        while (await billing.books.charge(conn, org, None)).charged:
            pass
    found = await billing.reconcile(org)
    assert found.calls == 1_100
    assert {each.call_id for each in found.differences} == {calls[0], calls[999], calls[1_000], calls[-1]}
    assert {each.kind for each in found.differences} == {"call_without_usage"}
