"""A call that is told live and reported by its provider: reports that come late, early, twice or never."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from echosenseix.calllog.v1 import calllog_pb2 as pb
from libs.ids import new_id
from libs.postgres import count_statements
from providers.interface.reports import CallStatus
from services.calllog.domain.live import Ending
from services.calllog.operations.live_calls import WATCH
from tests.integration.locks import someone_waits

from .conftest import CallLog, Organization, as_org, eventually, transcription
from .provider import Provider, serving
from .test_live_calls import AGENT, _look, begin, end, tell, topics
from .test_provider_jobs import conversation_data, reconcile


@pytest_asyncio.fixture(loop_scope="session")
async def provider() -> AsyncIterator[Provider]:
    async with serving(Provider()) as running:
        yield running


async def begun(calllog: CallLog, conversation: str, base_url: str = "") -> tuple[Organization, pb.Call]:
    """A call that runs at ElevenLabs and is told live."""
    customer = await calllog.organization(AGENT, base_url)
    sent = {"provider": "elevenlabs", "external_call_id": conversation, "external_agent_id": AGENT}
    return customer, await begin(calllog, customer.id, **sent)


async def live_rows(calllog: CallLog, org: str) -> int:
    return int(await calllog.database.system_fetchval("select count(*) from live_call where org_id = $1", org))


async def test_a_lost_report_is_fetched_though_the_live_party_ended_the_call(
    calllog: CallLog, provider: Provider, conversation: str
) -> None:
    customer, call = await begun(calllog, conversation, provider.url)
    await end(calllog, customer.id, call.id)
    provider.conversations = {conversation: conversation_data(conversation)}
    assert '"missing": 1' in (await reconcile(calllog, customer.id))["result"]
    assert (await calllog.get(customer.id, call.id)).duration_seconds == 37
    assert (await calllog.events(customer.id))[-1][1]["billable"]
    assert '"missing": 0' in (await reconcile(calllog, customer.id))["result"]


async def test_a_late_report_of_a_running_call_does_not_open_it_again(calllog: CallLog, conversation: str) -> None:
    customer, call = await begun(calllog, conversation)
    await tell(calllog, customer.id, call.id, "Hello")
    await end(calllog, customer.id, call.id)
    await calllog.deliver(customer, transcription(conversation, agent_id=AGENT, status="processing"))
    stored = await calllog.get(customer.id, call.id)
    assert stored.status == pb.CALL_STATUS_COMPLETED
    assert [turn.text for turn in stored.transcript] == ["Hello"]
    await calllog.deliver(customer, transcription(conversation, agent_id=AGENT))
    assert (await calllog.get(customer.id, call.id)).duration_seconds == 37
    assert (await topics(calllog, customer.id)).count("call.ended") == 1


async def test_turns_of_a_report_of_a_running_call_do_not_take_the_places_of_live_ones(
    calllog: CallLog, conversation: str
) -> None:
    customer, call = await begun(calllog, conversation)
    await tell(calllog, customer.id, call.id, "Hello", "Where is it?")
    await calllog.deliver(customer, transcription(conversation, agent_id=AGENT, status="processing"))
    told = await tell(calllog, customer.id, call.id, "Where is it?", "There.", start=1)
    assert (told.accepted, told.duplicates, told.next_index) == (1, 1, 3)


async def test_the_report_of_the_end_ends_the_telling(calllog: CallLog, conversation: str) -> None:
    customer, call = await begun(calllog, conversation)
    assert await live_rows(calllog, customer.id) == 1
    await calllog.deliver(customer, transcription(conversation, agent_id=AGENT))
    assert await live_rows(calllog, customer.id) == 0
    assert await _look(calllog, customer.id, call.id, 400) == "over"


async def test_a_call_ends_while_its_report_is_being_written(calllog: CallLog, conversation: str) -> None:
    """The report has locked the conversation and waits for the call, which is held here."""
    customer, call = await begun(calllog, conversation)
    async with calllog.database.transaction(customer.id) as conn:
        held = await calllog.calls.lock_by_id(conn, customer.id, call.id)
        delivering = asyncio.create_task(calllog.deliver(customer, transcription(conversation, agent_id=AGENT)))
        await someone_waits(calllog.database)
        await calllog.live.end(conn, held, Ending(CallStatus.COMPLETED, datetime.now(UTC)))
    await delivering
    assert (await calllog.get(customer.id, call.id)).duration_seconds == 37
    assert await topics(calllog, customer.id) == ["call.started", "call.ended", "call.updated"]


async def test_ending_telling_and_listing_commands_read_no_transcript(calllog: CallLog) -> None:
    org = new_id("org")
    call = await begin(calllog, org)
    await tell(calllog, org, call.id, "Hello", "Where is it?")
    with count_statements() as counter, as_org(org):
        await tell(calllog, org, call.id, "There.", start=2)
        await calllog.live_servicer.ListCallCommands(pb.ListCallCommandsRequest(call_id=call.id), None)
    assert [sql for sql in counter.statements if "from call_turn" in sql and "between" not in sql] == []
    ended = await end(calllog, org, call.id)
    assert (ended.turn_count, len(ended.transcript)) == (3, 0)


async def test_a_providers_call_that_is_lost_and_never_reported_has_failed_after_a_day(
    calllog: CallLog, conversation: str
) -> None:
    customer, call = await begun(calllog, conversation)
    org = customer.id
    await tell(calllog, org, call.id, "Hello")
    assert await _look(calllog, org, call.id, 400) == "lost"
    days = """select extract(epoch from run_at - now()) / 86400 from job
        where org_id = $1 and kind = 'call.watch' and args::jsonb ? 'awaits'"""
    assert 0.9 < await calllog.database.system_fetchval(days, org) <= 1
    async with calllog.database.transaction(org) as conn:
        now = replace(WATCH, unique_by=())
        await now.enqueue(conn, org, {"callId": call.id, "awaits": "report"})

    async def failed() -> pb.Call | None:
        found = await calllog.get(org, call.id)
        return found if found.status == pb.CALL_STATUS_FAILED else None

    lost = await eventually(failed)
    assert (lost.termination_reason, lost.HasField("duration_seconds")) == ("never_reported", False)
    assert [turn.text for turn in lost.transcript] == ["Hello"]
    await calllog.deliver(customer, transcription(conversation, agent_id=AGENT))
    reported = await calllog.get(org, call.id)
    assert (reported.status, reported.duration_seconds) == (pb.CALL_STATUS_COMPLETED, 37)
    assert (await topics(calllog, org)).count("call.ended") == 1


async def test_a_party_that_comes_back_is_watched_again(calllog: CallLog, conversation: str) -> None:
    customer, call = await begun(calllog, conversation)
    await calllog.database.system_fetch("delete from job where org_id = $1 returning id", customer.id)
    assert await _look(calllog, customer.id, call.id, 400) == "lost"
    await tell(calllog, customer.id, call.id, "Hello")
    assert len(await calllog.jobs(customer.id, "call.watch")) == 2
    async with calllog.database.transaction(customer.id) as conn:
        assert await calllog.live.check_reported(conn, customer.id, call.id) == "live"


@pytest.mark.parametrize("status", ["done", "failed"])
async def test_a_call_that_was_reported_is_left_as_it_is(calllog: CallLog, conversation: str, status: str) -> None:
    customer, call = await begun(calllog, conversation)
    await calllog.deliver(customer, transcription(conversation, agent_id=AGENT, status=status))
    before = await calllog.get(customer.id, call.id)
    async with calllog.database.transaction(customer.id) as conn:
        assert await calllog.live.check_reported(conn, customer.id, call.id) == "over"
    assert await calllog.get(customer.id, call.id) == before
