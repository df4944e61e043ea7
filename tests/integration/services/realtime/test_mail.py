"""Mails to an organisation's owners: what enqueues one, where it goes, and what a mail server's refusals lead to."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from libs.config import load
from libs.crypto import Envelope
from libs.http import OutboundClient
from libs.jobs import Worker
from libs.postgres import Record
from services.realtime.config import RealtimeSettings
from services.realtime.jobs import job_handlers
from services.realtime.operations import disable_endpoint
from tests.integration.services.realtime.driving import Realtime
from tests.integration.services.realtime.mail_server import MailServer

Environment = Callable[[str, str], dict[str, str]]
URL = "https://hooks.example.com/T0/very-private?token=secret"


@contextlib.asynccontextmanager
async def working(realtime: Realtime, environment: Environment, smtp_url: str | None = None) -> AsyncIterator[None]:
    """A worker of the service, with this mail server or none."""
    settings = dataclasses.replace(load(RealtimeSettings, environment("realtime", "unused")), smtp_url=smtp_url)
    client, stop = OutboundClient(()), asyncio.Event()
    handlers = job_handlers(settings, Envelope(settings.encryption_keys), client)
    running = asyncio.create_task(Worker(settings, "realtime", realtime.database, realtime.bus, handlers).run(stop))
    try:
        yield
    finally:
        stop.set()
        await running
        await client.close()


async def jobs(realtime: Realtime, org_id: str) -> list[Record]:
    return await realtime.database.system_fetch(
        "select * from job where org_id = $1 and kind = 'email.send' order by id", org_id
    )


async def settled(realtime: Realtime, org_id: str, is_settled: Callable[[Record], bool]) -> Record:
    async with asyncio.timeout(20):
        while True:
            found = await jobs(realtime, org_id)
            if found and is_settled(found[0]):
                return found[0]
            await asyncio.sleep(0.02)


async def owner(realtime: Realtime, org_id: str, **changes: Any) -> None:
    await realtime.emit(
        org_id, "user.created", **{"userId": "usr_1", "email": "ada@example.com", "role": "owner", **changes}
    )


async def credit_low(realtime: Realtime, org_id: str) -> None:
    await realtime.emit(org_id, "credit.low", availableMicros="1500000", currency="USD")


async def test_a_disabled_endpoint_writes_one_mail_without_its_secrets(realtime: Realtime) -> None:
    async with realtime.database.system_transaction("org_m1") as connection:
        await connection.execute(
            "insert into webhook_endpoint (org_id, id, url, event_types, description, secret)"
            " values ('org_m1', 'we_1', $1, '{*}', '', 'x')",
            URL,
        )
    for _ in range(2):
        async with realtime.database.transaction("org_m1") as connection:
            await disable_endpoint(connection, "org_m1", "we_1", "gone")
    (job,) = await jobs(realtime, "org_m1")
    assert (job["queue"], job["unique_key"]) == ("mail", "webhook_endpoint.disabled:we_1")
    assert "hooks.example.com" in str(job["args"])
    assert "private" not in str(job["args"])
    assert "token" not in str(job["args"])


async def test_nothing_is_enqueued_when_the_disabling_does_not_commit(realtime: Realtime) -> None:
    async with realtime.database.system_transaction("org_m2") as connection:
        await connection.execute(
            "insert into webhook_endpoint (org_id, id, url, event_types, description, secret)"
            " values ('org_m2', 'we_1', $1, '{*}', '', 'x')",
            URL,
        )
    with contextlib.suppress(ZeroDivisionError):
        async with realtime.database.transaction("org_m2") as connection:
            await disable_endpoint(connection, "org_m2", "we_1", "gone")
            raise ZeroDivisionError
    assert await jobs(realtime, "org_m2") == []


async def test_without_a_server_the_mailbox_gets_the_mail(realtime: Realtime, service_environment: Environment) -> None:
    await owner(realtime, "org_m3")
    await owner(realtime, "org_m3", userId="usr_2", email="guest@example.com", role="member")
    await credit_low(realtime, "org_m3")
    async with working(realtime, service_environment):
        await settled(realtime, "org_m3", lambda job: job["state"] == "completed")
    (mail,) = await realtime.database.system_fetch("select * from mail where org_id = 'org_m3'")
    assert (mail["recipients"], mail["subject"]) == (["ada@example.com"], "Your credit is running low")
    assert "1.50 USD" in mail["body"]


async def test_without_an_owner_the_mail_is_discarded(realtime: Realtime, service_environment: Environment) -> None:
    await owner(realtime, "org_m4", role="member")
    await credit_low(realtime, "org_m4")
    async with working(realtime, service_environment):
        job = await settled(realtime, "org_m4", lambda job: job["state"] == "failed")
    assert (job["error_code"], job["attempt"]) == ("mail_no_recipient", 1)


async def test_a_mail_arrives_by_smtp_after_a_passing_refusal(
    realtime: Realtime, service_environment: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    await owner(realtime, "org_m5")
    await credit_low(realtime, "org_m5")
    async with (
        MailServer(recipient_answers=["450 later, ada@example.com"]) as server,
        working(realtime, service_environment, f"smtp://127.0.0.1:{server.port}"),
    ):
        await settled(realtime, "org_m5", lambda job: job["state"] in ("scheduled", "queued") and job["attempt"])
        job = await settled(realtime, "org_m5", lambda job: job["state"] == "completed")
    assert job["attempt"] == 2
    assert "mail_server_unavailable" in caplog.text
    assert "ada@" not in caplog.text
    (message,) = server.messages
    assert "To: ada@example.com" in message
    assert f"Message-ID: <{job['id']}@echosenseix>" in message
    assert "1.50 USD" in message
    assert await realtime.database.system_fetch("select 1 from mail where org_id = 'org_m5'") == []


@pytest.mark.parametrize(
    ("org_id", "answers"),
    [
        ("org_m6", {"answers": ["554 no, ada@example.com"]}),
        ("org_m7", {"recipient_answers": ["550 who is ada@example.com"]}),
    ],
)
async def test_a_refusal_for_good_discards_and_quotes_no_address(
    realtime: Realtime,
    service_environment: Environment,
    caplog: pytest.LogCaptureFixture,
    org_id: str,
    answers: dict[str, list[str]],
) -> None:
    await owner(realtime, org_id)
    await credit_low(realtime, org_id)
    async with (
        MailServer(**answers) as server,
        working(realtime, service_environment, f"smtp://127.0.0.1:{server.port}"),
    ):
        job = await settled(realtime, org_id, lambda job: job["state"] == "failed")
    assert (job["error_code"], job["attempt"]) == ("mail_refused", 1)
    assert "ada@" not in caplog.text + json.dumps(dict(job), default=str)
