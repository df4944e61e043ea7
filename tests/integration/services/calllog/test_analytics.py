"""Analytics: roll-ups that follow the calls, exact for any window, and null where nothing is known."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from echosenseix.calllog.v1 import calllog_pb2
from echosenseix.events.v1.events_pb2 import UsageRecorded
from libs.clock import utcnow
from libs.errors import InvalidArgument
from libs.events import Event, ReceivedEvent
from libs.ids import new_id
from libs.rpc.times import to_timestamp
from services.calllog.operations import AGGREGATE
from services.calllog.storage.analytics import Analytics

from .conftest import CallLog, as_org, failure, transcription

AGENT = "agent_7101k5zvyjhmfg983brhmhkd98n6"
HOUR = datetime(2026, 1, 2, 9, tzinfo=UTC)


def call_at(conversation: str, moment: datetime, seconds: int = 60, success: str = "success", **data: Any) -> Any:
    metadata = {"start_time_unix_secs": int(moment.timestamp()), "call_duration_secs": seconds}
    analysis = {"call_successful": success, "transcript_summary": "", "call_summary_title": ""}
    return transcription(conversation, metadata=metadata, analysis=analysis, transcript=[], **data)


async def totals(
    calllog: CallLog, org: str, start: datetime | None = None, end: datetime | None = None
) -> calllog_pb2.GetOrganizationAnalyticsResponse:
    request = calllog_pb2.GetOrganizationAnalyticsRequest(from_time=to_timestamp(start), to_time=to_timestamp(end))
    with as_org(org):
        return await calllog.servicer.GetOrganizationAnalytics(request, None)


async def series(
    calllog: CallLog, org: str, start: datetime, end: datetime, interval: str = "hour", agent_id: str = ""
) -> list[calllog_pb2.AnalyticsBucket]:
    request = calllog_pb2.GetAnalyticsTimeseriesRequest(
        from_time=to_timestamp(start), to_time=to_timestamp(end), interval=interval, agent_id=agent_id
    )
    with as_org(org):
        return list((await calllog.servicer.GetAnalyticsTimeseries(request, None)).buckets)


async def rolled_up(calllog: CallLog, org: str) -> None:
    await calllog.settled(org)
    await calllog.settled(org, "analytics.aggregate")
    while await calllog.aggregation.fold():
        pass


async def hear_cost(calllog: CallLog, org: str, call: str, micros: int) -> None:
    usage = UsageRecorded(call_id=call, usage_event_id="ue_1", amount_micros=micros, currency="USD")
    event = ReceivedEvent.of(Event("usage.recorded", org, call, usage).envelope())
    async with calllog.database.system_transaction(org) as conn:
        await calllog.subscribers.on_usage(conn, [event])


async def test_nothing_is_invented(calllog: CallLog) -> None:
    org = await calllog.organization()
    empty = await totals(calllog, org.id)
    assert (empty.total_calls, empty.total_minutes, empty.active_agents) == (0, 0, 0)
    assert not empty.HasField("estimated_cost")
    assert not empty.HasField("average_duration_seconds")
    assert not empty.HasField("last_sync_time")
    await calllog.deliver(org, failure(new_id("conv")))
    await rolled_up(calllog, org.id)
    missed = await totals(calllog, org.id)
    assert (missed.total_calls, missed.failed_calls, missed.total_minutes) == (1, 1, 0)
    assert not missed.HasField("estimated_cost")
    assert not missed.HasField("average_duration_seconds")
    assert missed.HasField("last_sync_time")


async def test_analytics_follow_a_call(calllog: CallLog, conversation: str) -> None:
    org = await calllog.organization(AGENT)
    await calllog.deliver(org, transcription(conversation))
    call = await calllog.call_of(org.id, conversation)
    await rolled_up(calllog, org.id)
    assert (await totals(calllog, org.id)).total_calls == 1
    await hear_cost(calllog, org.id, call.id, 61_667)
    await rolled_up(calllog, org.id)
    found = await totals(calllog, org.id)
    assert (found.total_calls, found.successful_calls, found.failed_calls, found.active_agents) == (1, 1, 0, 1)
    assert found.total_minutes == pytest.approx(37 / 60)
    assert found.average_duration_seconds == 37
    assert (found.estimated_cost.micros, found.estimated_cost.currency) == (61_667, "USD")
    priced = await calllog.get(org.id, call.id)
    assert (priced.cost.micros, priced.version) == (61_667, call.version + 1)
    await hear_cost(calllog, org.id, call.id, 61_667)
    assert (await calllog.get(org.id, call.id)).version == priced.version


async def test_windows_are_exact_and_buckets_add_up(calllog: CallLog) -> None:
    """200 calls over three days, windows cut anywhere: as many as the calls themselves say."""
    chance, org = random.Random(11), await calllog.organization(AGENT)
    moments = [HOUR + timedelta(seconds=chance.randrange(3 * 86_400)) for _ in range(200)]
    for first in range(0, 200, 50):
        part = moments[first : first + 50]
        envelopes = [call_at(f"{org.id}-{first + i}", moment, 30) for i, moment in enumerate(part)]
        await asyncio.gather(*(calllog.deliver(org, envelope) for envelope in envelopes))
    await rolled_up(calllog, org.id)
    assert (await totals(calllog, org.id)).total_calls == 200
    for _ in range(20):
        start = HOUR + timedelta(seconds=chance.randrange(3 * 86_400))
        end = start + timedelta(seconds=chance.choice((60, 1_800, 3_600, 90_000, 200_000)))
        found = await totals(calllog, org.id, start, end)
        inside = sum(start <= moment < end for moment in moments)
        assert (found.total_calls, found.total_minutes) == (inside, inside / 2)
    by_day = await series(calllog, org.id, HOUR, HOUR + timedelta(days=4), "day")
    by_hour = await series(calllog, org.id, HOUR, HOUR + timedelta(days=3))
    assert sum(bucket.calls for bucket in by_day) == sum(bucket.calls for bucket in by_hour) == 200
    assert len(by_hour) == 72
    assert by_hour[0].start_time.ToDatetime(tzinfo=UTC) == HOUR
    for bucket in by_hour:
        start = bucket.start_time.ToDatetime(tzinfo=UTC)
        assert bucket.calls == sum(start <= moment < start + timedelta(hours=1) for moment in moments)


async def test_a_series_may_be_one_agents(calllog: CallLog) -> None:
    org = await calllog.organization(AGENT)
    await calllog.deliver(org, call_at(f"{org.id}-1", HOUR))
    await calllog.deliver(org, call_at(f"{org.id}-2", HOUR, agent_id="no one", success="failure"))
    await rolled_up(calllog, org.id)
    agent = (await calllog.list(org.id, external_call_id=f"{org.id}-1")).calls[0].agent_id
    (every,) = await series(calllog, org.id, HOUR, HOUR + timedelta(hours=1))
    (ours,) = await series(calllog, org.id, HOUR, HOUR + timedelta(hours=1), agent_id=agent)
    assert (every.calls, every.successful_calls, every.failed_calls) == (2, 1, 1)
    assert (ours.calls, ours.successful_calls, ours.failed_calls) == (1, 1, 0)
    assert (await totals(calllog, org.id)).active_agents == 1


async def test_a_call_whose_start_becomes_known_is_counted_where_it_belongs(calllog: CallLog) -> None:
    org = await calllog.organization(AGENT)
    key = f"{org.id}-1"
    await calllog.deliver(org, transcription(key, status="in-progress", metadata={}, transcript=[]))
    await rolled_up(calllog, org.id)
    await calllog.deliver(org, call_at(key, HOUR))
    await rolled_up(calllog, org.id)
    assert (await totals(calllog, org.id)).total_calls == 1
    assert (await totals(calllog, org.id, HOUR, HOUR + timedelta(hours=1))).total_calls == 1


async def test_a_change_during_a_recomputation_is_not_lost(calllog: CallLog) -> None:
    """Calls of one hour arrive without pause while it is being counted again and again and notes are added up."""
    org = await calllog.organization(AGENT)
    for start in range(0, 120, 6):
        await asyncio.gather(
            *(calllog.deliver(org, call_at(f"{org.id}-{i}", HOUR)) for i in range(start, start + 6)),
            recount(calllog, org.id),
            calllog.aggregation.fold(),
        )
    await rolled_up(calllog, org.id)
    assert (await totals(calllog, org.id)).total_calls == 120


async def recount(calllog: CallLog, org: str) -> None:
    async with calllog.database.transaction(org) as conn:
        await AGGREGATE.enqueue(conn, org, {"hour": HOUR.isoformat()})


async def rollups(calllog: CallLog, org: str) -> list[tuple[Any, ...]]:
    """The rows that count anything."""
    sql = """select r.period, r.bucket, r.agent_id, r.calls, r.successful_calls, r.failed_calls, r.measured_calls,
        r.seconds, r.rated_calls, r.cost_micros, r.cost_currency from analytics_rollup r
        where r.org_id = $1 and r.calls <> 0 order by 1, 2, 3"""
    return [tuple(row.values()) for row in await calllog.database.system_fetch(sql, org)]


async def test_notes_add_up_to_what_a_recomputation_counts(calllog: CallLog) -> None:
    """Calls begin, end, move to another hour, fail and are rated, and the notes are added up in between."""
    chance, org, analytics = random.Random(7), await calllog.organization(AGENT), Analytics(calllog.database)
    for i in range(40):
        key, moment = f"{org.id}-{i}", HOUR + timedelta(minutes=chance.randrange(6 * 60))
        if chance.random() < 0.4:
            await calllog.deliver(org, transcription(key, status="in-progress", metadata={}, transcript=[]))
        if chance.random() < 0.3:
            await calllog.aggregation.fold()
        agent = {} if chance.random() < 0.5 else {"agent_id": "no one"}
        outcome = chance.choice(("success", "failure", "unknown"))
        await calllog.deliver(org, call_at(key, moment, chance.randrange(1, 90), outcome, **agent))
        if chance.random() < 0.7:
            call = (await calllog.list(org.id, external_call_id=key)).calls[0]
            await hear_cost(calllog, org.id, call.id, chance.randrange(100_000))
    await rolled_up(calllog, org.id)
    added_up = await rollups(calllog, org.id)
    assert sum(row[3] for row in added_up if row[0] == "hour") == 40
    async with calllog.database.transaction(org.id) as conn:
        for hour in {row[1] for row in added_up if row[0] == "hour"}:
            await analytics.recompute(conn, org.id, hour, utcnow())
    assert await rollups(calllog, org.id) == added_up


async def test_a_recomputation_voids_the_notes_of_what_it_counted(calllog: CallLog) -> None:
    org, analytics = await calllog.organization(AGENT), Analytics(calllog.database)
    await calllog.deliver(org, call_at(f"{org.id}-1", HOUR))
    async with calllog.database.transaction(org.id) as conn:
        await analytics.recompute(conn, org.id, HOUR, utcnow())
    await calllog.aggregation.fold()
    assert (await totals(calllog, org.id)).total_calls == 1


async def test_what_changes_no_count_leaves_no_note(calllog: CallLog) -> None:
    org = await calllog.organization(AGENT)
    await calllog.deliver(org, call_at(f"{org.id}-1", HOUR))
    await rolled_up(calllog, org.id)
    async with calllog.database.transaction(org.id) as conn:
        await conn.execute("update call set tags = '{vip}' where org_id = $1", org.id)
        notes = "select count(*) from analytics_change where org_id = $1"
        assert await conn.fetchval(notes, org.id) == 0
        await conn.execute("update call set duration_seconds = 7 where org_id = $1", org.id)
        assert await conn.fetchval(notes, org.id) == 1
    await rolled_up(calllog, org.id)
    assert (await totals(calllog, org.id)).total_minutes == pytest.approx(7 / 60)


async def test_the_sweep_counts_what_changed_lately(calllog: CallLog) -> None:
    org = await calllog.organization(AGENT)
    await calllog.deliver(org, call_at(f"{org.id}-1", HOUR))
    await rolled_up(calllog, org.id)
    async with calllog.database.system_transaction() as conn:
        await conn.execute("delete from analytics_rollup r where r.org_id = $1", org.id)
        await AGGREGATE.enqueue(conn, "", {"changedWithinHours": 2})
    assert (await totals(calllog, org.id)).total_calls == 0
    await calllog.settled("", "analytics.aggregate")
    await rolled_up(calllog, org.id)
    assert (await totals(calllog, org.id)).total_calls == 1


async def test_impossible_windows_are_refused(calllog: CallLog) -> None:
    org = new_id("org")
    for start, end, interval in (
        (HOUR, HOUR, "hour"), (HOUR, HOUR - timedelta(hours=1), "day"), (HOUR, HOUR + timedelta(hours=1), "week"),
        (HOUR, HOUR + timedelta(days=365), "hour"),
    ):  # fmt: skip
        with pytest.raises(InvalidArgument, match="invalid_query"):
            await series(calllog, org, start, end, interval)
    with pytest.raises(InvalidArgument, match="invalid_query"):
        await totals(calllog, org, HOUR, HOUR)


async def test_billable_calls_come_in_pages(calllog: CallLog) -> None:
    org = await calllog.organization(AGENT)
    for i in range(5):
        await calllog.deliver(org, call_at(f"{org.id}-{i}", HOUR + timedelta(minutes=i)))
    await calllog.deliver(org, failure(f"{org.id}-f"))
    await calllog.settled(org.id)
    from .conftest import as_service

    ids: list[str] = []
    while True:
        request = calllog_pb2.ListBillableCallsRequest(
            organization_id=org.id, from_time=to_timestamp(HOUR), to_time=to_timestamp(HOUR + timedelta(hours=1)),
            after_id=ids[-1] if ids else "", limit=2,
        )  # fmt: skip
        with as_service(org.id):
            answer = await calllog.servicer.ListBillableCalls(request, None)
        ids += [call.call_id for call in answer.calls]
        if not answer.has_more:
            break
    assert ids == sorted(ids)
    assert len(set(ids)) == 5
    request = calllog_pb2.ListBillableCallsRequest(organization_id=org.id, to_time=to_timestamp(HOUR))
    with as_service(org.id):
        assert not (await calllog.servicer.ListBillableCalls(request, None)).calls
