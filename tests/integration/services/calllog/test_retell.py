"""Retell's calls and recordings, fetched from a stand-in whose answers the official SDK reads."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest_asyncio
from retell import AsyncRetell
from retell.types import CallListResponse

from echosenseix.calllog.v1 import calllog_pb2
from services.calllog.operations import RECONCILE

from .conftest import CallLog
from .provider import RetellProvider, serving
from .test_provider_jobs import download

AGENT = "agent_retellsample00000000001"
AUDIO = b"RIFF" + bytes(range(256)) * 500


@pytest_asyncio.fixture(loop_scope="session")
async def retell() -> AsyncIterator[RetellProvider]:
    async with serving(RetellProvider()) as running:
        yield running


async def ask(calllog: CallLog, org: str, provider: str) -> None:
    """A run of its own, also while another waits."""
    async with calllog.database.transaction(org) as conn:
        await replace(RECONCILE, unique_by=()).enqueue(conn, org, {"provider": provider})


async def reconcile(calllog: CallLog, org: str, provider: str = "retell") -> dict[str, object]:
    """One run; the result of its job, or its error."""
    await ask(calllog, org, provider)
    await calllog.settled(org, RECONCILE.name)
    await calllog.settled(org)
    job = (await calllog.jobs(org, RECONCILE.name))[-1]
    return dict(json.loads(job["result"])) if job["result"] else {"error": job["error_code"]}


async def test_the_official_sdk_reads_the_stand_in(retell: RetellProvider) -> None:
    for number in range(3):
        retell.add(f"call_{number}")
    async with AsyncRetell(api_key="sk_test", base_url=retell.url) as client:
        page = await client.call.list(limit=2)
        assert CallListResponse.model_validate(page.model_dump()) == page
        assert page.items
        assert page.pagination_key
        assert ([row.call_id for row in page.items], page.pagination_key) == (["call_0", "call_1"], "2")
        rest = await client.call.list(pagination_key=page.pagination_key)
        assert ([row.call_id for row in rest.items], rest.has_more) == (["call_2"], False)
        retell.keep_audio("call_2", AUDIO)
        one = await client.call.retrieve("call_2")
        assert type(one).model_validate(one.model_dump()) == one
        assert (one.call_id, one.recording_url) == ("call_2", retell.conversations["call_2"]["recording_url"])


async def test_calls_that_no_webhook_told_are_found_with_their_recordings(
    calllog: CallLog, retell: RetellProvider, conversation: str
) -> None:
    org = await calllog.organization(AGENT, retell.url, "retell")
    missed = [f"{conversation}{number}" for number in range(5)]
    for call_id in missed:
        retell.add(call_id)
    retell.add(f"{conversation}-running", call_status="ongoing")
    retell.keep_audio(missed[2], AUDIO)
    assert await reconcile(calllog, org.id) == {"listed": 5, "missing": 5, "unreadable": 0}
    calls = (await calllog.list(org.id)).calls
    assert {call.external_call_id for call in calls} == set(missed)
    assert {(call.provider, call.agent_version, call.status) for call in calls} == {
        ("retell", 1, calllog_pb2.CALL_STATUS_COMPLETED)
    }
    assert sum(target == "/v3/list-calls" for target in retell.asked) == 3
    call = await calllog.call_of(org.id, missed[2])
    await calllog.settled(org.id, "audio.process")
    recording, content = await download(calllog, org.id, call.id)
    assert (recording.status, recording.media_type, content) == ("available", "audio/wav", AUDIO)
    assert await reconcile(calllog, org.id) == {"listed": 5, "missing": 0, "unreadable": 0}
    assert [turn.text for turn in call.transcript][:2] == ["Hello.", "Is the observatory open tonight?"]


async def test_the_key_goes_to_the_api_and_not_to_the_storage(
    calllog: CallLog, retell: RetellProvider, conversation: str
) -> None:
    org = await calllog.organization(AGENT, retell.url, "retell")
    retell.add(conversation)
    retell.keep_audio(conversation, AUDIO)
    await reconcile(calllog, org.id)
    await calllog.call_of(org.id, conversation)
    await calllog.settled(org.id, "audio.process")
    keys = {(target.split("/")[1], key) for target, key in zip(retell.asked, retell.keys, strict=True)}
    assert keys == {("v3", "Bearer sk_test"), ("v2", "Bearer sk_test"), ("storage", "")}


async def test_an_inner_address_in_a_call_is_not_followed(
    calllog: CallLog, retell: RetellProvider, conversation: str
) -> None:
    org = await calllog.organization(AGENT, retell.url, "retell")
    retell.add(conversation, recording_url="http://169.254.169.254/latest/meta-data.wav")
    await reconcile(calllog, org.id)
    call = await calllog.call_of(org.id, conversation)
    await calllog.settled(org.id, "audio.process")
    (job,) = await calllog.jobs(org.id, "audio.process")
    assert (job["state"], job["attempt"], job["error_code"]) == ("failed", 1, "forbidden_address")
    assert (await calllog.get(org.id, call.id)).recording.status == "failed"


async def test_a_recording_that_was_taken_away_meanwhile_is_unavailable(
    calllog: CallLog, retell: RetellProvider, conversation: str
) -> None:
    org = await calllog.organization(AGENT, retell.url, "retell")
    retell.add(conversation, scrubbed_recording_url=f"{retell.url}/gone/{conversation}.wav")
    await reconcile(calllog, org.id)
    call = await calllog.call_of(org.id, conversation)
    await calllog.settled(org.id, "audio.process")
    assert (await calllog.get(org.id, call.id)).recording.status == "unavailable"


async def test_a_provider_whose_calls_no_one_lists_says_so(calllog: CallLog) -> None:
    org = await calllog.organization()
    assert await reconcile(calllog, org.id, "another") == {"error": "reconcile_unsupported"}
