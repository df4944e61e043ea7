"""Writes under a key: one effect whatever is repeated, cut off or sent at once."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from echosenseix.common.v1.common_pb2 import Money
from libs.clock import monotonic
from libs.context import CallContext, serving
from libs.errors import Aborted, AlreadyExists, DeadlineExceeded, FailedPrecondition, InvalidArgument, Unavailable
from libs.postgres import Connection, Database
from libs.postgres.idempotency import run_write


def insert(name: str) -> Callable[[Connection], Awaitable[Money]]:
    async def act(conn: Connection) -> Money:
        await conn.execute("insert into thing (org_id, id) values (current_setting('app.org'), $1)", name)
        return Money(micros=7, currency=name)

    return act


async def count(db: Database, name: str) -> int:
    return int(await db.system_fetchval("select count(*) from thing where id like $1 || '%'", name))


def calling(key: str, fingerprint: str = "POST /things body") -> CallContext:
    return CallContext(idempotency_key=key, idempotency_fingerprint=fingerprint)


async def test_a_retry_gets_the_first_answer_and_no_second_effect(db: Database) -> None:
    with serving(calling("k1")) as call:
        first = await run_write(db, "org_a", insert("once"), Money)
        assert "x-idempotency-replayed" not in call.response_headers
    with serving(calling("k1")) as call:
        again = await run_write(db, "org_a", insert("once"), Money)
        assert call.response_headers == {"x-idempotency-replayed": "true"}
    assert again == first
    assert await count(db, "once") == 1


async def test_without_a_key_it_just_acts_unless_one_is_required(db: Database) -> None:
    await run_write(db, "org_a", insert("keyless"), Money)
    with pytest.raises(InvalidArgument) as refusal:
        await run_write(db, "org_a", insert("money"), Money, required=True)
    assert refusal.value.reason == "idempotency_key_required"
    assert [violation.pointer for violation in refusal.value.violations] == ["#/Idempotency-Key"]
    assert await count(db, "money") == 0


async def test_a_key_used_for_another_body_is_refused(db: Database) -> None:
    with serving(calling("k2")):
        await run_write(db, "org_a", insert("body"), Money)
    with serving(calling("k2", "POST /things other")), pytest.raises(InvalidArgument) as refusal:
        await run_write(db, "org_a", insert("body2"), Money)
    assert refusal.value.reason == "idempotency_key_reused"
    assert await count(db, "body") == 1


async def test_organizations_do_not_share_keys(db: Database) -> None:
    for org in ("org_a", "org_b"):
        with serving(calling("k3")):
            await run_write(db, org, insert("own"), Money)
    assert await count(db, "own") == 2


async def test_ten_at_once_make_one_effect_and_the_others_are_told_to_come_back(db: Database) -> None:
    entered, leave = asyncio.Event(), asyncio.Event()

    async def slow(conn: Connection) -> Money:
        entered.set()
        await leave.wait()
        return await insert("race")(conn)

    async def call() -> Money:
        with serving(calling("k4")):
            return await run_write(db, "org_a", slow, Money)

    first = asyncio.create_task(call())
    await entered.wait()
    for _ in range(9):
        with pytest.raises(Aborted) as refusal:
            await call()
        assert refusal.value.reason == "idempotency_in_progress"
        assert refusal.value.retry_after
    leave.set()
    assert await first == await call()
    assert await count(db, "race") == 1


async def test_a_refused_write_is_not_stored_and_its_key_stays_free(db: Database) -> None:
    async def refuse(conn: Connection) -> Money:
        await insert("refused")(conn)
        raise FailedPrecondition("stale_version", "Read it again.")

    with serving(calling("k5")), pytest.raises(FailedPrecondition):
        await run_write(db, "org_a", refuse, Money)
    assert await count(db, "refused") == 0
    with serving(calling("k5", "POST /things repaired")):
        await run_write(db, "org_a", insert("refused"), Money)
    assert await count(db, "refused") == 1


async def test_an_answer_with_a_secret_is_not_kept_but_its_id_is(db: Database) -> None:
    def write() -> Awaitable[Money]:
        return run_write(db, "org_a", insert("secret"), Money, secret=True, resource_id=lambda made: made.currency)

    with serving(calling("k6")):
        await write()
    with serving(calling("k6")), pytest.raises(AlreadyExists) as refusal:
        await write()
    assert refusal.value.reason == "secret_already_shown"
    assert refusal.value.metadata == {"resourceId": "secret"}
    assert await db.system_fetchval("select response from idempotency where key = 'k6'") is None
    assert await count(db, "secret") == 1


async def test_a_key_is_forgotten_after_its_day(db: Database) -> None:
    with serving(calling("k7")):
        await run_write(db, "org_a", insert("day1"), Money)
    await db.system_fetch("update idempotency set expires_at = now() - interval '1 s' where key = 'k7'")
    with serving(calling("k7", "POST /things another day")):
        await run_write(db, "org_a", insert("day2"), Money)
    assert await count(db, "day") == 2
    kept = "select extract(hour from expires_at - created_at + interval '1 min')::int from idempotency where key = 'k7'"
    assert await db.system_fetchval(kept) in (0, 24)


class Cutter:
    """Between a client and PostgreSQL: spoils the connection when it sees a commit, before or after passing it on.

    reset: cut it; half-open: keep it and say nothing more; slow: one byte of the answer a second."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self.cuts = 0
        self.pass_on = True
        self.way = "reset"

    async def __aenter__(self) -> "Cutter":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, to_upstream = await asyncio.open_connection(*self._target)
        answers = asyncio.create_task(_copy(upstream, writer))
        while data := await reader.read(65536):
            cut = self.cuts > 0 and b"commit" in data
            if cut:
                self.cuts -= 1
                answers.cancel()
                await asyncio.gather(answers, return_exceptions=True)
            if self.pass_on or not cut:
                to_upstream.write(data)
                await to_upstream.drain()
            if cut and self.pass_on:
                said = await upstream.read(1)  # the server has committed and says so; the client never hears all of it
                if self.way == "slow":
                    writer.write(said)
            if cut:
                if self.way != "reset":
                    await reader.read()  # until the client gives up
                break
        answers.cancel()
        writer.transport.abort()
        to_upstream.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


@pytest.mark.parametrize(
    ("way", "pass_on", "times"),
    [
        ("reset", True, 20),
        ("reset", False, 20),
        ("half-open", True, 4),
        ("half-open", False, 4),
        ("slow", True, 4),
    ],
)
async def test_a_connection_spoiled_at_the_commit_is_repaired_by_a_retry(
    db: Database, way: str, pass_on: bool, times: int
) -> None:
    name = f"{way}_{pass_on}"
    parts = urlsplit(db.settings.database_url)
    async with Cutter(parts.hostname or "", parts.port or 0) as cutter:
        url = db.settings.database_url.replace(f":{parts.port}/", f":{cutter.port}/")
        through = await Database.open(replace(db.settings, database_url=url), application_name="test-cut")
        for _ in range(times):
            cutter.way, cutter.pass_on, cutter.cuts = way, pass_on, 1
            deadline = monotonic() + (5.0 if way == "reset" else 0.5)
            with serving(replace(calling(name), deadline=deadline)), pytest.raises((Unavailable, DeadlineExceeded)):
                await run_write(through, "org_a", insert(name), Money)
            assert cutter.cuts == 0
            assert await count(db, name) == (1 if pass_on else 0)
            assert await _retried(through, name) == pass_on
            assert await count(db, name) == 1
            await db.system_fetch("with gone as (delete from thing where id = $1) delete from idempotency", name)
        await through.close()


async def _retried(db: Database, name: str) -> bool:
    """Repeat the write as a client does, until it is answered; whether the answer was the stored one."""
    while True:
        with serving(calling(name)) as call:
            try:
                assert (await run_write(db, "org_a", insert(name), Money)).currency == name
            except Aborted:  # the server has not yet noticed that the first one is gone
                await asyncio.sleep(0.01)
                continue
            return "x-idempotency-replayed" in call.response_headers
