"""Providers that ask for time, fail, trickle or flood: what the jobs make of it, and how often they ask."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from libs.jobs import WAITING
from libs.jobs.admin import queries
from services.calllog.operations import AUDIO, RECONCILE, SERVICE

from .conftest import AUDIO_LIMITS, CallLog, Organization, eventually, transcription
from .provider import Provider, serving
from .test_provider_jobs import AGENT, conversation_data
from .test_retell import ask, reconcile

SOUND = bytes(range(256)) * 100
RETRIED = """select j.id, j.state, j.attempt, j.error_code, extract(epoch from j.run_at - now())::float8 as wait
    from job j where j.org_id = $1 and j.kind = $2 and j.attempt > 0 and j.state <> 'running'"""


@pytest_asyncio.fixture(loop_scope="session")
async def provider() -> AsyncIterator[Provider]:
    async with serving(Provider()) as running:
        yield running


async def parked(calllog: CallLog, org: str, kind: str) -> Any:
    """The job of this kind once its first attempt is over."""
    return await eventually(lambda: calllog.database.system_fetchrow(RETRIED, org, kind))


async def forget(calllog: CallLog, job: Any) -> None:
    async with calllog.database.system_transaction() as conn:
        await conn.execute("delete from job where id = $1", job["id"])


async def recorded(calllog: CallLog, provider: Provider, conversation: str) -> Organization:
    """An organization whose call's recording is about to be fetched."""
    org = await calllog.organization(AGENT, provider.url)
    provider.audio.setdefault(conversation, SOUND)
    await calllog.deliver(org, transcription(conversation, has_audio=True))
    await calllog.call_of(org.id, conversation)
    return org


@pytest.mark.parametrize(
    ("status", "header", "least", "most", "reason"),
    [
        (429, "50", 45, 50, "provider_rate_limited"),
        # Sooner than the policy's own five seconds is not sooner: attempts are not burnt.
        (429, "0", 3, 6, "provider_rate_limited"),
        (429, "", 25, 30, "provider_rate_limited"),
        (503, "50", 45, 50, "provider_failed"),
        (500, "", 3, 6, "provider_failed"),
    ],
)
async def test_a_recording_waits_as_long_as_the_provider_says(
    calllog: CallLog, provider: Provider, conversation: str,
    status: int, header: str, least: float, most: float, reason: str,
) -> None:  # fmt: skip
    provider.refusals, provider.refusal_headers = [status], {"retry-after": header} if header else {}
    org = await recorded(calllog, provider, conversation)
    job = await parked(calllog, org.id, AUDIO.name)
    assert (job["attempt"], job["error_code"]) == (1, reason)
    assert least < int(job["wait"]) <= most
    assert len(provider.asked) == 1
    await forget(calllog, job)


async def test_a_reconciliation_waits_and_then_goes_over_all_pages(calllog: CallLog, provider: Provider) -> None:
    org = await calllog.organization(AGENT, provider.url)
    provider.conversations = {f"conv_{number}": conversation_data(f"conv_{number}") for number in range(3)}
    provider.refusals, provider.refusal_headers = [429], {"retry-after": "1"}
    assert await reconcile(calllog, org.id, "elevenlabs") == {"listed": 3, "missing": 3, "unreadable": 0}
    (job,) = await calllog.jobs(org.id, RECONCILE.name)
    assert job["attempt"] == 2


async def test_the_last_refusal_fails_the_recording_too(
    calllog: CallLog, provider: Provider, conversation: str
) -> None:
    """No one shall wait for a recording that no one fetches any more."""
    provider.refusals = [429]
    org = await calllog.organization(AGENT, provider.url)
    async with calllog.database.system_transaction() as conn:
        await queries.pause(conn, AUDIO.queue, org.id)
    await calllog.deliver(org, transcription(conversation, has_audio=True))
    call = await calllog.call_of(org.id, conversation)
    async with calllog.database.system_transaction() as conn:
        await conn.execute("update job set max_attempts = 1 where org_id = $1 and kind = $2", org.id, AUDIO.name)
        await queries.resume(conn, SERVICE, AUDIO.queue, org.id)
    await calllog.settled(org.id, AUDIO.name)
    (job,) = await calllog.jobs(org.id, AUDIO.name)
    assert (job["state"], job["error_code"]) == ("failed", "provider_rate_limited")
    assert (await calllog.get(org.id, call.id)).recording.status == "failed"


async def test_a_body_that_trickles_is_cut_off_in_time(calllog: CallLog, provider: Provider, conversation: str) -> None:
    provider.drip = True
    org = await recorded(calllog, provider, conversation)
    job = await parked(calllog, org.id, AUDIO.name)
    assert (job["state"] in WAITING, job["error_code"]) == (True, "outbound_timeout")
    await forget(calllog, job)


@pytest.mark.parametrize("endless", [False, True])
async def test_a_recording_over_the_limit_is_refused_at_once_and_clearly(
    calllog: CallLog, provider: Provider, conversation: str, endless: bool
) -> None:
    provider.endless = endless
    provider.audio[conversation] = b"x" * (AUDIO_LIMITS.max_bytes + 1)
    org = await recorded(calllog, provider, conversation)
    await calllog.settled(org.id, AUDIO.name)
    (job,) = await calllog.jobs(org.id, AUDIO.name)
    assert (job["state"], job["attempt"], job["error_code"]) == ("failed", 1, "recording_too_large")
    message = "select j.error_message from job j where j.id = $1"
    assert f"{AUDIO_LIMITS.max_bytes:,} bytes" in await calllog.database.system_fetchval(message, job["id"])
    (call,) = (await calllog.list(org.id)).calls
    assert (await calllog.get(org.id, call.id)).recording.status == "failed"
    assert len(provider.asked) == 1


async def test_a_recording_of_just_the_limit_is_kept(calllog: CallLog, provider: Provider, conversation: str) -> None:
    provider.audio[conversation] = b"x" * AUDIO_LIMITS.max_bytes
    org = await recorded(calllog, provider, conversation)
    await calllog.settled(org.id, AUDIO.name)
    (job,) = await calllog.jobs(org.id, AUDIO.name)
    assert json.loads(job["result"])["bytes"] == AUDIO_LIMITS.max_bytes


async def test_one_conversation_that_no_one_can_read_hides_no_other(calllog: CallLog, provider: Provider) -> None:
    org = await calllog.organization(AGENT, provider.url)
    provider.conversations = {key: conversation_data(key) for key in ("conv_huge", "conv_list", "conv_fine")}
    provider.conversations["conv_huge"]["padding"] = "x" * (17 * 1024 * 1024)
    provider.odd["conv_list"] = b"[]"
    assert await reconcile(calllog, org.id, "elevenlabs") == {"listed": 3, "missing": 3, "unreadable": 2}
    (call,) = (await calllog.list(org.id)).calls
    assert call.external_call_id == "conv_fine"


async def test_a_list_that_no_one_can_read_fails_the_attempt(calllog: CallLog, provider: Provider) -> None:
    org = await calllog.organization(AGENT, provider.url)
    provider.odd["conversations"] = b'{"conversations": ' + b"[" * 100_000
    await ask(calllog, org.id, "elevenlabs")
    job = await parked(calllog, org.id, RECONCILE.name)
    assert (job["state"] in WAITING, job["error_code"]) == (True, "provider_answer_unreadable")
    await forget(calllog, job)
