"""Mails to an organization's owners: what enqueues one, where it goes, and what a mail server's refusals lead to."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from nats.js.errors import NotFoundError

from echosenseix.events.v1.events_pb2 import CreditChanged
from libs.bus.stream import MESSAGE_ID, ensure_stream
from libs.bus.subjects import job_wakeup
from libs.events import Event, EventConsumer, Together
from libs.postgres import Record
from services.realtime.operations import SWEEP, disable_endpoint
from services.realtime.subscribers import Subscribers
from tests.integration.services.realtime.driving import Environment, Realtime, working
from tests.integration.services.realtime.mail_server import MailServer

URL = "https://hooks.example.com/T0/very-private?token=secret"
ADA, BOB, EVE = "ada@example.com", "bob@example.com", "eve@example.com"


async def endpoint(realtime: Realtime, org_id: str) -> None:
    async with realtime.database.transaction(org_id) as connection:
        await connection.execute(
            "insert into webhook_endpoint (org_id, id, url, event_types, description, secret)"
            " values ($1, 'we_1', $2, '{*}', '', 'x')",
            org_id,
            URL,
        )


async def disable(realtime: Realtime, org_id: str) -> None:
    async with realtime.database.transaction(org_id) as connection:
        await disable_endpoint(connection, org_id, "we_1", "gone")


async def jobs(realtime: Realtime, org_id: str) -> list[Record]:
    return await realtime.database.system_fetch(
        "select * from job where org_id = $1 and kind = 'email.send' order by id", org_id
    )


async def settled(
    realtime: Realtime, org_id: str, is_settled: Callable[[Record], Any], owners: int = 1
) -> dict[str, Record]:
    """The jobs of the mails to each owner, by owner, once they are all as they should be."""
    async with asyncio.timeout(20):
        while True:
            mails = {json.loads(row["args"]).get("userId", ""): row for row in await jobs(realtime, org_id)}
            mails.pop("", None)
            if len(mails) == owners and all(map(is_settled, mails.values())):
                return mails
            await asyncio.sleep(0.02)


def ended(job: Record) -> bool:
    return job["state"] in ("completed", "failed")


async def owner(realtime: Realtime, org_id: str, email: str = ADA, role: str = "owner") -> None:
    await realtime.emit(org_id, "user.created", userId=f"usr_{email[:3]}", email=email, role=role)


async def credit_low(realtime: Realtime, org_id: str) -> None:
    await realtime.emit(org_id, "credit.low", availableMicros="1500000", currency="USD")


async def test_a_disabled_endpoint_writes_one_mail_without_its_secrets(realtime: Realtime) -> None:
    await endpoint(realtime, "org_m1")
    for _ in range(2):
        await disable(realtime, "org_m1")
    (job,) = await jobs(realtime, "org_m1")
    assert (job["queue"], job["unique_key"]) == ("mail", "webhook_endpoint.disabled:we_1")
    assert "hooks.example.com" in str(job["args"])
    assert "private" not in str(job["args"])
    assert "token" not in str(job["args"])


async def test_nothing_is_enqueued_when_the_disabling_does_not_commit(realtime: Realtime) -> None:
    await endpoint(realtime, "org_m2")
    with contextlib.suppress(ZeroDivisionError):
        async with realtime.database.transaction("org_m2") as connection:
            await disable_endpoint(connection, "org_m2", "we_1", "gone")
            raise ZeroDivisionError
    assert await jobs(realtime, "org_m2") == []


async def test_without_a_server_the_mailbox_gets_a_mail_for_each_owner(
    realtime: Realtime, service_environment: Environment
) -> None:
    for email, role in ((ADA, "owner"), (BOB, "owner"), (EVE, "member")):
        await owner(realtime, "org_m3", email, role)
    await credit_low(realtime, "org_m3")
    async with working(realtime, service_environment):
        await settled(realtime, "org_m3", ended, owners=2)
    mails = await realtime.database.system_fetch(
        "select recipients, subject, body from mail where org_id = 'org_m3' order by recipients"
    )
    assert [mail["recipients"] for mail in mails] == [[ADA], [BOB]]
    assert {mail["subject"] for mail in mails} == {"Your credit is running low"}
    assert all("1.50 USD" in mail["body"] for mail in mails)
    [shared_out] = [job for job in await jobs(realtime, "org_m3") if "userId" not in job["args"]]
    assert json.loads(shared_out["result"]) == {"recipients": 2}


async def test_without_an_owner_the_mail_is_discarded(realtime: Realtime, service_environment: Environment) -> None:
    await owner(realtime, "org_m4", role="member")
    await credit_low(realtime, "org_m4")
    async with working(realtime, service_environment), asyncio.timeout(20):
        while not ended((await jobs(realtime, "org_m4"))[0]):
            await asyncio.sleep(0.02)
    (job,) = await jobs(realtime, "org_m4")
    assert (job["state"], job["error_code"], job["attempt"]) == ("failed", "mail_no_recipient", 1)


async def test_each_owner_s_mail_has_its_own_end(
    realtime: Realtime, service_environment: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    """One is accepted, one refused until later, one for good: no one gets two, and each refusal is told."""
    for email in (ADA, BOB, EVE):
        await owner(realtime, "org_m5", email)
    await credit_low(realtime, "org_m5")
    refusals = {BOB: [f"450 later, {BOB}"], EVE: [f"550 who is {EVE}"]}
    async with (
        MailServer(recipient_answers=refusals) as server,
        working(realtime, service_environment, smtp_url=server.url),
    ):
        await settled(realtime, "org_m5", lambda job: job["attempt"] == 1 and job["state"] != "running", owners=3)
        await make_due(realtime, "org_m5")
        mails = await settled(realtime, "org_m5", ended, owners=3)
    ends = {user: (job["state"], job["attempt"], job["error_code"]) for user, job in mails.items()}
    assert ends == {
        "usr_ada": ("completed", 1, None),
        "usr_bob": ("completed", 2, None),
        "usr_eve": ("failed", 1, "mail_refused"),
    }
    assert "550" in mails["usr_eve"]["error_message"]
    told = {line for message in server.messages for line in message.splitlines() if line.startswith("To: ")}
    assert (len(server.messages), told) == (2, {f"To: {ADA}", f"To: {BOB}"})
    assert all("1.50 USD" in message for message in server.messages)
    ids = {f"Message-ID: <{mails[user]['id']}@echosenseix>" for user in ("usr_ada", "usr_bob")}
    assert ids == {line for message in server.messages for line in message.splitlines() if "Message-ID" in line}
    assert await realtime.database.system_fetch("select 1 from mail where org_id = 'org_m5'") == []
    assert "mail_server_unavailable" in caplog.text
    assert "@example.com" not in caplog.text + json.dumps([dict(job) for job in mails.values()], default=str)


async def make_due(realtime: Realtime, org_id: str) -> None:
    """What waits for its next attempt gets it now."""
    async with realtime.database.system_transaction() as connection:
        await connection.execute(
            "update job set state = 'queued', run_at = now() where org_id = $1 and state in ('scheduled', 'queued')",
            org_id,
        )
    await realtime.bus.publish_core(job_wakeup("realtime", "mail"))


@pytest.mark.parametrize(
    ("org_id", "answers"),
    [("org_m6", {"answers": [f"554 no, {ADA}"]}), ("org_m7", {"recipient_answers": {ADA: [f"550 who is {ADA}"]}})],
)
async def test_a_refusal_for_good_discards_and_quotes_no_address(
    realtime: Realtime,
    service_environment: Environment,
    caplog: pytest.LogCaptureFixture,
    org_id: str,
    answers: Mapping[str, Any],
) -> None:
    await owner(realtime, org_id)
    await credit_low(realtime, org_id)
    async with MailServer(**answers) as server, working(realtime, service_environment, smtp_url=server.url):
        mails = await settled(realtime, org_id, ended)
    job = mails["usr_ada"]
    assert (job["state"], job["error_code"], job["attempt"]) == ("failed", "mail_refused", 1)
    assert "ada@" not in caplog.text + json.dumps(dict(job), default=str)


async def test_a_crossing_that_is_told_again_writes_no_second_mail(
    realtime: Realtime, service_environment: Environment
) -> None:
    """The same event comes again after its mail went out, past the window in which the stream drops duplicates."""
    await owner(realtime, "org_m8")
    event = Event("credit.low", "org_m8", "org_m8", CreditChanged(available_micros=1_500_000, currency="USD"))
    handlers = {"credit.low": Together(Subscribers(realtime.bus).on_events)}
    stop = asyncio.Event()
    async with working(realtime, service_environment) as settings:
        await ensure_stream(realtime.bus, settings)
        consumer = EventConsumer(realtime.bus, realtime.database, "mails", handlers)
        running = asyncio.create_task(consumer.run(stop))
        for number in range(2):
            headers = {MESSAGE_ID: f"{event.id}-{number}"}
            sent = await realtime.bus.jetstream.publish(event.nats_subject, event.payload().encode(), headers=headers)
            await acknowledged(realtime, "mails", sent.seq)
            await settled(realtime, "org_m8", ended)
        stop.set()
        await running
    assert len(await jobs(realtime, "org_m8")) == 2  # one for all owners, one for Ada
    assert len(await realtime.database.system_fetch("select id from mail where org_id = 'org_m8'")) == 1


async def acknowledged(realtime: Realtime, consumer: str, sequence: int) -> None:
    """The consumer is done with the stream up to this message."""
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(NotFoundError):
                info = await realtime.bus.jetstream.consumer_info("EVENTS", consumer)
                if (info.ack_floor.stream_seq or 0) >= sequence and not info.num_pending:
                    return
            await asyncio.sleep(0.02)


async def test_the_mailbox_forgets_what_is_old_and_what_is_too_much(
    realtime: Realtime, service_environment: Environment
) -> None:
    async with realtime.database.system_transaction() as connection:
        await connection.execute(
            "insert into mail (org_id, id, recipients, subject, body, created_at)"
            " select org, 'mail_' || n, '{ada@example.com}', '', '', now() - make_interval(hours => 12 * n)"
            " from unnest('{org_ma,org_mb}'::text[]) org, generate_series(1, 8) n where org = 'org_ma' or n in (1, 7)"
        )
        await SWEEP.enqueue(connection, "")
    async with working(realtime, service_environment, mail_retention_days=3, mail_kept=4):
        async with asyncio.timeout(20):
            while not await realtime.database.system_fetchval(
                "select count(*) from job where kind = 'retention.sweep' and state = 'completed'"
            ):
                await asyncio.sleep(0.02)
    left = await realtime.database.system_fetch(
        "select org_id, id from mail where org_id in ('org_ma', 'org_mb') order by org_id, id"
    )
    assert [(row["org_id"], row["id"]) for row in left] == [
        *(("org_ma", f"mail_{number}") for number in (1, 2, 3, 4)),
        ("org_mb", "mail_1"),
    ]
