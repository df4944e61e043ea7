"""Order and isolation of deliveries: an endpoint gets its events in the order of the log, and one that is slow or dead
holds up no other.
"""

from __future__ import annotations

import asyncio
import json

from libs.bus.subjects import job_wakeup
from services.realtime.storage import turns
from tests.integration.services.realtime.driving import Realtime, until
from tests.integration.services.realtime.hooks import Endpoints
from tests.integration.services.realtime.receiver import Receiver


def calls(receiver: Receiver) -> list[str]:
    return [json.loads(got.body)["data"]["callId"] for got in receiver.requests]


async def test_an_endpoint_gets_its_events_one_at_a_time_in_the_order_of_the_log(
    realtime: Realtime, endpoints: Endpoints
) -> None:
    async with Receiver() as receiver:
        created = await endpoints.create("org_o1", receiver.url)
        wanted = [f"call_{number:02}" for number in range(40)]
        for call_id in wanted:
            await realtime.emit("org_o1", call_id=call_id)
        await until(lambda: len(receiver.requests) == len(wanted))
        await until(lambda: receiver.open == 0)
        assert calls(receiver) == wanted
        assert receiver.most_at_once == 1
        positions = [int(got.headers["event-position"]) for got in receiver.requests]
        assert positions == sorted(set(positions))
        # The last response is recorded after the receiver has given it.
        await endpoints.settled("org_o1", created.endpoint.id, lambda newest: newest.status == "delivered")
        rows = await endpoints.deliveries("org_o1", created.endpoint.id)
        assert {row.attempts for row in rows} == {1}


async def test_an_event_that_its_receiver_refuses_lets_the_later_ones_pass(
    realtime: Realtime, endpoints: Endpoints
) -> None:
    async with Receiver(answers=["500 Oops"]) as receiver:
        await endpoints.create("org_o2", receiver.url)
        for call_id in ("call_a", "call_b", "call_c"):
            await realtime.emit("org_o2", call_id=call_id)
        await until(lambda: len(receiver.requests) == 4)
        assert calls(receiver) == ["call_a", "call_b", "call_c", "call_a"]


async def test_a_delivery_that_another_job_has_tried_is_tried_again_at_its_time(
    realtime: Realtime, endpoints: Endpoints
) -> None:
    """Its own job found the turn taken, and would look again when that turn would be over."""
    async with Receiver(answers=["500 Oops"]) as receiver:
        endpoint_id = (await endpoints.create("org_o8", receiver.url)).endpoint.id
        async with realtime.database.transaction("org_o8") as conn:
            await conn.execute("update webhook_endpoint set turn_job = 'another', turn_until = now() + interval '40 s'")
        await realtime.emit("org_o8", call_id="call_a")
        asleep = "select count(*) from job where org_id = 'org_o8' and state = 'scheduled' and run_at > now() + '30 s'"
        async with asyncio.timeout(10):
            while await realtime.database.system_fetchval(asleep) != 1:
                await asyncio.sleep(0.02)
        async with realtime.database.transaction("org_o8") as conn:
            await turns.release(conn, "org_o8", endpoint_id, "another")
        await realtime.emit("org_o8", call_id="call_b")
        await until(lambda: len(receiver.requests) == 3)
        assert calls(receiver) == ["call_a", "call_b", "call_a"]


async def test_an_endpoint_that_does_not_answer_holds_up_no_other(realtime: Realtime, endpoints: Endpoints) -> None:
    """More deliveries to the silent endpoint than the worker has places."""
    async with Receiver(is_silent=True) as silent, Receiver() as healthy:
        await endpoints.create("org_o3", silent.url)
        await endpoints.create("org_o4", healthy.url)
        for _ in range(20):
            await realtime.emit("org_o3")
        await until(lambda: silent.open == 1)
        for number in range(5):
            await realtime.emit("org_o4", call_id=f"call_{number}")
        await until(lambda: len(healthy.requests) == 5)
        assert calls(healthy) == [f"call_{number}" for number in range(5)]
        assert silent.most_at_once == 1


async def test_an_endpoint_that_fails_again_and_again_rests_and_a_test_ends_its_rest(
    realtime: Realtime, endpoints: Endpoints
) -> None:
    async with Receiver(answers=["500 Oops"] * 3) as receiver:
        created = await endpoints.create("org_o5", receiver.url)
        for number in range(8):
            await realtime.emit("org_o5", call_id=f"call_{number}")
        await until(lambda: len(receiver.requests) == 3)
        assert calls(receiver) == ["call_0", "call_1", "call_2"]
        # The receiver has the third request before its failure is recorded.
        async with asyncio.timeout(15):
            while not await realtime.database.system_fetchval(
                "select failed_attempts = 3 and hold_until > now() from webhook_endpoint where id = $1",
                created.endpoint.id,
            ):
                await asyncio.sleep(0.02)
        await endpoints.test("org_o5", created.endpoint.id)
        await until(lambda: len(receiver.requests) >= 9)
        types = [json.loads(got.body)["type"] for got in receiver.requests]
        assert types[3] == "webhook.test"
        first_tries = list(dict.fromkeys(call for call in calls_of_events(receiver)))
        assert first_tries == [f"call_{number}" for number in range(8)]


def calls_of_events(receiver: Receiver) -> list[str]:
    bodies = [json.loads(got.body) for got in receiver.requests]
    return [body["data"]["callId"] for body in bodies if body["type"] == "call.ended"]


async def test_a_turn_whose_job_died_ends_by_itself(realtime: Realtime, endpoints: Endpoints) -> None:
    async with Receiver() as receiver:
        created = await endpoints.create("org_o6", receiver.url)
        async with realtime.database.transaction("org_o6") as connection:
            await connection.execute(
                "update webhook_endpoint set turn_job = 'job_realtime_dead', turn_until = now() + interval '1 hour'"
            )
        await realtime.emit("org_o6")
        tried = await endpoints.settled("org_o6", created.endpoint.id, lambda row: bool(row.job_id))
        assert await turns.next_due(realtime.database, "org_o6", created.endpoint.id, tried.job_id) is None
        assert receiver.requests == []
        async with realtime.database.transaction("org_o6") as connection:
            await connection.execute("update webhook_endpoint set turn_until = now()")
        async with asyncio.timeout(20):
            while not receiver.requests:
                await make_all_due(realtime)
                await asyncio.sleep(0.05)
        await endpoints.settled("org_o6", created.endpoint.id, lambda row: row.status == "delivered")


async def make_all_due(realtime: Realtime) -> None:
    async with realtime.database.system_transaction() as connection:
        await connection.execute(
            "update job set state = 'queued', run_at = now()"
            " where org_id = 'org_o6' and state in ('scheduled', 'queued')"
        )
    await realtime.bus.publish_core(job_wakeup("realtime", "webhooks"))


async def test_an_organization_whose_endpoints_do_not_answer_leaves_places_to_others(
    realtime: Realtime, endpoints: Endpoints
) -> None:
    """More silent endpoints than the worker has places; each would keep one for as long as an attempt may take."""
    async with Receiver(is_silent=True) as silent, Receiver() as healthy:
        for number in range(12):
            await endpoints.create("org_o5", f"{silent.url}/{number}")
        await endpoints.create("org_o6", healthy.url)
        await realtime.emit("org_o5")
        await until(lambda: silent.open == 4)
        for number in range(20):
            await realtime.emit("org_o6", call_id=f"call_{number}")
        await until(lambda: len(healthy.requests) == 20)
        assert silent.most_at_once == 4
        await endpoints.forget("org_o5")


async def test_one_endpoint_among_a_hundred_that_does_not_answer_delays_none_of_the_others(
    realtime: Realtime, endpoints: Endpoints
) -> None:
    """All others, of its organization and of another one, have both events while its first attempt still waits."""
    async with Receiver(is_silent=True) as silent, Receiver() as healthy:
        created = await endpoints.create("org_l9", silent.url)
        for number in range(99):
            await endpoints.create("org_l9" if number < 49 else "org_l9_other", f"{healthy.url}/{number}")
        for org_id in ("org_l9", "org_l9_other"):
            await realtime.emit(org_id, call_id="call_first")
        await until(lambda: silent.open == 1)
        for org_id in ("org_l9", "org_l9_other"):
            await realtime.emit(org_id, call_id="call_second")
        await until(lambda: len(healthy.requests) == 2 * 99, seconds=60)
        assert len({got.headers["webhook-id"] for got in healthy.requests}) == 2 * 99
        assert sorted(calls(healthy)) == ["call_first"] * 99 + ["call_second"] * 99
        assert (silent.open, len(silent.requests)) == (1, 1)
        assert {row.attempts for row in await endpoints.deliveries("org_l9", created.endpoint.id)} == {0}
        for org_id in ("org_l9", "org_l9_other"):
            await endpoints.forget(org_id)


async def test_turns_reach_the_endpoints_that_name_them(realtime: Realtime, endpoints: Endpoints) -> None:
    async with Receiver() as broad, Receiver() as named:
        await endpoints.create("org_o7", broad.url, ("*",))
        await endpoints.create("org_o7", named.url, ("call.turn", "call.ended"))
        for index in range(3):
            await realtime.emit("org_o7", topic="call.turn", index=index)
        await realtime.emit("org_o7")
        await until(lambda: len(named.requests) == 4)
        await until(lambda: len(broad.requests) == 1)
        assert [json.loads(got.body)["type"] for got in named.requests] == ["call.turn"] * 3 + ["call.ended"]
        assert [json.loads(got.body)["type"] for got in broad.requests] == ["call.ended"]
