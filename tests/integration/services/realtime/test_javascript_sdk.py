"""The unmodified JavaScript SDK against the doors, over each of its transports (docs/realtime-protocol.md)."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from libs.bus import Bus
from libs.config import load
from local.stores import Stores
from services.realtime.config import RealtimeSettings
from services.realtime.doors.opening import Doors
from services.realtime.protocol import connection as connections
from services.realtime.protocol.connection import Connection
from services.realtime.protocol.disconnects import Disconnect
from services.realtime.storage.event_log import EventLog
from tests.integration.services.realtime.driving import Realtime, until
from tests.integration.services.realtime.javascript import JavaScript, javascript

TRANSPORTS = ("websocket", "sse", "http_stream")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def js(realtime: Realtime) -> AsyncIterator[JavaScript]:
    """It ends before the doors: the SDK does not catch that a command of its emulation finds no server."""
    async with javascript() as sdk:
        yield sdk
        assert [event for event in sdk.events if event["on"] == "unhandled"] == []


@pytest.fixture
def name() -> str:
    """A client and an organization for each test."""
    return f"t{secrets.token_hex(6)}"


class Client:
    """One SDK client on one transport."""

    def __init__(self, js: JavaScript, realtime: Realtime, name: str) -> None:
        self.js, self.realtime, self.name, self.org = js, realtime, name, f"org_{name}"
        self.channel = f"org:{self.org}:calls"

    async def create(self, transport: str = "websocket", **how: Any) -> None:
        http = f"http://{self.realtime.doors.addresses['http']}"
        endpoint = self.realtime.url if transport == "websocket" else f"{http}/connection/{transport}"
        quick = {"minReconnectDelay": 1, "maxReconnectDelay": 50, "emulationEndpoint": f"{http}/emulation"}
        options = {**quick, **how.pop("options", {})}
        how = {"token": self.realtime.token(self.org), **how} if "tokens" not in how else how
        transports = [{"transport": transport, "endpoint": endpoint}]
        await self.do("create", transports=transports, options=options, **how)

    async def connected(self, transport: str = "websocket", **how: Any) -> None:
        await self.create(transport, **how)
        await self.do("connect")
        await self.until("connected")

    async def do(self, act: str, **how: Any) -> Any:
        return await self.js.do(act, self.name, **how)

    async def call(self, method: str, *args: Any) -> Any:
        return await self.do("call", method=method, args=args)

    async def of_subscription(self, method: str, *args: Any) -> Any:
        return await self.do("callSubscription", channel=self.channel, method=method, args=args)

    def told(self, *kinds: str) -> list[dict[str, Any]]:
        return self.js.of(self.name, *kinds)

    async def until(self, kind: str, count: int = 1, seconds: float = 20) -> list[dict[str, Any]]:
        await self.js.until(lambda _: len(self.told(kind)) >= count, seconds)
        return self.told(kind)

    async def subscribed(self, channel: str = "", **options: Any) -> None:
        count = len(self.told("subscribed"))
        await self.do("subscribe", channel=channel or self.channel, options=options)
        await self.until("subscribed", count + 1)

    @property
    def server_side(self) -> Connection:
        """The newest connection of this client's organization."""
        doors = self.realtime.doors
        sockets = [socket.connection for socket in doors.sockets.sockets if socket.connection is not None]
        found = [at for at in (*sockets, *doors.emulated) if at.grant is not None and at.grant.org_id == self.org]
        return found[-1]

    async def emit(self, count: int, start: int = 0) -> None:
        for number in range(start, start + count):
            await self.realtime.emit(self.org, call_id=f"call_{number}")


@pytest_asyncio.fixture(loop_scope="session")
async def client(js: JavaScript, realtime: Realtime, name: str) -> AsyncIterator[Client]:
    made = Client(js, realtime, name)
    yield made
    await made.do("disconnect")


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_it_connects_subscribes_hears_recovers_and_disconnects(client: Client, transport: str) -> None:
    await client.create(transport)
    await client.do("connect")
    for channel in (client.channel, "call:call_0"):
        await client.do("subscribe", channel=channel)
    await client.until("subscribed", 2)
    assert [event["channel"] for event in client.told("subscribed")] == [client.channel, "call:call_0"]
    (connected,) = client.told("connected")
    assert connected["transport"] == transport
    assert len(connected["clientId"]) == 36
    await client.emit(3)
    await client.until("publication", 4)
    client.server_side.disconnect(Disconnect(3001, "shutdown"))
    await client.emit(5, start=3)
    await client.js.until(lambda _: client.js.offsets(client.name, client.channel) == list(range(1, 9)))
    await client.until("subscribed", 4)
    recovered = [event for event in client.told("subscribed") if event["wasRecovering"]]
    assert [event["recovered"] for event in recovered] == [True] * 2
    reasons = [(event["code"], event["reason"]) for event in client.told("connecting")]
    assert reasons == [(0, "connect called"), (3001, "shutdown")]
    await client.do("disconnect")
    await client.until("disconnected")
    assert client.told("disconnected")[0]["code"] == 0


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_pings_are_answered(client: Client, transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pongs: list[str] = []
    take = Connection._on_pong

    def counted(connection: Connection) -> None:
        pongs.append(connection.id)
        take(connection)

    monkeypatch.setattr(Connection, "_on_pong", counted)
    monkeypatch.setattr(connections, "PING_SECONDS", 3)
    monkeypatch.setattr(connections, "PONG_SECONDS", 2.9)
    await client.connected(transport)
    own = client.server_side.id
    await until(lambda: pongs.count(own) >= 2)
    assert [event["code"] for event in client.told("connecting")] == [0]


async def test_an_expired_token_is_replaced_before_the_next_attempt(client: Client) -> None:
    late, good = client.realtime.token(client.org, seconds=-1), client.realtime.token(client.org)
    await client.connected(token=late, tokens=[good])
    assert len(client.told("getToken")) == 1


async def test_a_forged_token_ends_it_without_another_attempt(client: Client) -> None:
    await client.create(token=client.realtime.token(client.org)[:-3] + "AAA")
    await client.do("connect")
    (ended,) = await client.until("disconnected")
    assert (ended["code"], ended["reason"]) == (3500, "invalid token")


async def test_getting_no_token_for_lack_of_rights_ends_it(client: Client) -> None:
    await client.create(tokens=["unauthorized"])
    await client.do("connect")
    assert (await client.until("disconnected"))[0]["code"] == 1


async def test_a_short_token_is_refreshed_twice_without_a_new_connection(client: Client) -> None:
    await client.connected(tokens=[client.realtime.token(client.org, seconds=s) for s in (10, 20, 300)])
    await client.until("getToken", 3, 60)
    await client.subscribed()
    assert [event["code"] for event in client.told("connecting")] == [0]


async def test_a_connection_that_expired_comes_back_and_recovers(client: Client) -> None:
    await client.connected()
    await client.subscribed()
    client.server_side.disconnect(Disconnect(3005, "connection expired"))
    await client.emit(4)
    await client.js.until(lambda _: client.js.offsets(client.name, client.channel) == [1, 2, 3, 4])
    assert [event["code"] for event in client.told("connecting")] == [0, 3005]


async def test_refreshing_with_another_users_token_ends_it(client: Client) -> None:
    tokens = [client.realtime.token(client.org, seconds=2), client.realtime.token(client.org, user_id="usr_2")]
    await client.connected(tokens=tokens)
    assert (await client.until("disconnected"))[0]["code"] == 3500


async def test_refusals_arrive_with_their_codes(client: Client) -> None:
    await client.connected()
    await client.subscribed()
    for channel, code in (("org:org_other:calls", 103), ("bad channel", 107), ("call:" + "x" * 300, 107)):
        await client.do("subscribe", channel=channel)
        await client.js.until(
            lambda _, wanted=(channel, code): wanted in [(e["channel"], e["code"]) for e in client.told("unsubscribed")]  # type: ignore[misc]
        )
    assert (await client.of_subscription("publish", {}))["error"]["code"] == 103
    assert (await client.call("publish", client.channel, {}))["error"]["code"] == 103
    assert (await client.call("rpc", "anything", {}))["error"]["code"] == 104
    assert (await client.call("presence", "call:not_subscribed"))["error"]["code"] == 103
    assert [event["code"] for event in client.told("connecting")] == [0]


async def test_a_message_without_a_receiver_ends_it(client: Client) -> None:
    await client.connected()
    await client.do("send", data={"x": 1})
    assert (await client.until("disconnected"))[0]["code"] == 3508


async def test_joins_leaves_and_presence_are_those_of_the_protocol(client: Client, js: JavaScript) -> None:
    await client.connected()
    await client.subscribed(joinLeave=True)
    (own,) = await client.until("join")
    assert own["info"]["user"] == "usr_1"
    guest = Client(js, client.realtime, f"{client.name}_guest")
    guest.org, guest.channel = client.org, client.channel
    await guest.connected()
    await guest.subscribed()
    await client.until("join", 2)
    presence = await client.of_subscription("presence")
    assert [info["user"] for info in presence["clients"].values()] == ["usr_1"] * 2
    assert await client.of_subscription("presenceStats") == {"numClients": 2, "numUsers": 1}
    await guest.do("disconnect")
    (left,) = await client.until("leave")
    assert left["info"]["client"] == client.told("join")[1]["info"]["client"]


async def test_history_is_read_from_both_ends(client: Client) -> None:
    await client.connected()
    await client.emit(7)
    await client.subscribed()

    async def offsets(**options: Any) -> list[int]:
        found = await client.of_subscription("history", options)
        assert found["offset"] == 7
        return [publication["offset"] for publication in found["publications"]]

    epoch = (await client.of_subscription("history", {"limit": 0}))["epoch"]
    assert await offsets(limit=0) == []
    assert await offsets(limit=2) == [1, 2]
    assert await offsets(limit=-1) == [1, 2, 3, 4, 5, 6, 7]
    assert await offsets(limit=3, since={"offset": 2, "epoch": epoch}) == [3, 4, 5]
    assert await offsets(limit=2, reverse=True) == [7, 6]
    assert await offsets(limit=5, reverse=True, since={"offset": 4, "epoch": epoch}) == [3, 2, 1]
    foreign = await client.of_subscription("history", {"limit": 1, "since": {"offset": 1, "epoch": "other"}})
    assert foreign["error"]["code"] == 112


@pytest.mark.parametrize(
    ("code", "reason", "ends"),
    [(3001, "shutdown", False), (3503, "force disconnect", True), (4000, "later", False), (4500, "never", True)],
)
async def test_a_close_code_decides_whether_it_comes_back(client: Client, code: int, reason: str, ends: bool) -> None:
    await client.connected()
    client.server_side.disconnect(Disconnect(code, reason))
    if ends:
        (told,) = await client.until("disconnected")
    else:
        await client.until("connected", 2)
        told = client.told("connecting")[-1]
    assert (told["code"], told["reason"]) == (code, reason)


@pytest.mark.parametrize("transport", ["sse", "http_stream"])
async def test_a_terminal_disconnect_push_is_obeyed_without_a_close_frame(client: Client, transport: str) -> None:
    await client.connected(transport)
    client.server_side.disconnect(Disconnect(3503, "force disconnect"))
    assert (await client.until("disconnected"))[0]["code"] == 3503


async def test_a_lost_position_is_subscribed_anew_and_recovered(client: Client) -> None:
    await client.connected()
    await client.subscribed()
    await client.emit(2)
    await client.until("publication", 2)
    for _ in range(20):
        subscription = client.server_side.subscription(client.channel)
        assert subscription is not None
        subscription.connection.lose_position(subscription)
        client.server_side.flush()
        count = len(client.told("subscribed"))
        await client.emit(1, start=count + 1)
        await client.until("subscribed", count + 1)
    assert (await client.of_subscription("presenceStats"))["numClients"] == 1
    await client.js.until(lambda _: len(client.js.offsets(client.name, client.channel)) >= 22)
    assert client.js.offsets(client.name, client.channel) == list(range(1, 23))
    assert {event["code"] for event in client.told("subscribing")} == {0, 2500}
    assert all(event["recovered"] for event in client.told("subscribed")[1:])


async def test_unsubscribing_and_subscribing_at_once_is_never_refused(client: Client) -> None:
    await client.connected()
    await client.subscribed()
    for _ in range(100):
        await client.do("unsubscribe", channel=client.channel)
        await client.do("subscribe", channel=client.channel)
    # Its answer comes after those of all commands before it.
    assert await client.of_subscription("presenceStats") == {"numClients": 1, "numUsers": 1}
    assert {event["code"] for event in client.told("unsubscribed")} == {0}
    await client.emit(1)
    await client.until("publication")


async def test_words_of_any_kind_arrive_as_they_were(client: Client) -> None:
    await client.connected()
    await client.subscribed()
    text = 'line\nbreak "quoted" \\ \N{SNOWMAN} \U0001f600 \u2028 null {"a": [1, null]}'
    await client.realtime.emit(client.org, call_id="call_1", summary=text, durationSeconds=1.5)
    (publication,) = await client.until("publication")
    assert (publication["data"]["data"]["summary"], publication["data"]["data"]["durationSeconds"]) == (text, 1.5)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_random_cuts_lose_and_double_nothing(client: Client, transport: str) -> None:
    """A cut every few events, while more are written."""
    await client.connected(transport)
    await client.subscribed()
    for round_ in range(30):
        await client.emit(3, start=3 * round_)
        client.server_side.disconnect(Disconnect(3001, "shutdown"))
        await client.until("connected", round_ + 2)
    await client.js.until(lambda _: len(client.js.offsets(client.name, client.channel)) >= 90)
    assert client.js.offsets(client.name, client.channel) == list(range(1, 91))
    assert all(event["recovered"] for event in client.told("subscribed")[1:])


@pytest.mark.parametrize("transport", ["sse", "http_stream"])
async def test_commands_that_reach_another_instance_are_handed_on(
    client: Client, transport: str, stores: Stores, service_environment: Callable[[str, str], dict[str, str]]
) -> None:
    environment = {
        **service_environment("realtime", "unused"),
        "REALTIME_WS_ADDRESS": "127.0.0.1:0", "REALTIME_HTTP_ADDRESS": "127.0.0.1:0", "DRAIN_SECONDS": "1",
    }  # fmt: skip
    bus = await Bus.connect(stores.nats_url, "test-realtime-2")
    settings = load(RealtimeSettings, environment)
    other = await Doors.open(settings, bus, EventLog(client.realtime.database), client.realtime.tokens)
    try:
        emulation = {"emulationEndpoint": f"http://{other.addresses['http']}/emulation"}
        await client.connected(transport, options=emulation)
        await client.subscribed()
        await client.emit(2)
        await client.until("publication", 2)
        assert (await client.of_subscription("presenceStats"))["numClients"] == 1
        # 3: the SDK's clock of five seconds ended, as on a busy machine. Commands that are lost get no answer at all.
        assert {event["code"] for event in client.told("connecting")} <= {0, 3}
    finally:
        await client.do("disconnect")
        await other.close()
        await bus.close()
