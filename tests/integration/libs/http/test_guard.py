"""The outbound client against hostile URLs, names that change their mind, and servers that misbehave."""

import asyncio
import importlib.util
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from libs.errors import AppError, DeadlineExceeded, InvalidArgument, Unavailable
from libs.http import OutboundClient

Answerer = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


class Listener:
    """Counts connections on 127.0.0.1 and, on the same port, ::1; answers as told."""

    def __init__(self) -> None:
        self.connections = 0
        self.requests: list[bytes] = []
        self.answer: Answerer = _hello

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]
        try:
            self._six: Any = await asyncio.start_server(self._serve, "::1", self.port, ssl=tls)
        except OSError:
            self._six = None

    async def stop(self) -> None:
        for server in filter(None, (self._server, self._six)):
            server.close()
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.requests.append(head)
            await self.answer(head, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def _hello(head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1\r\nX-A: 2\r\nConnection: close\r\n\r\nhello")
    await writer.drain()


@pytest_asyncio.fixture
async def listener() -> AsyncIterator[Listener]:
    one = Listener()
    await one.start()
    yield one
    await one.stop()


def _hostile_urls(port: int) -> list[str]:
    spec = importlib.util.spec_from_file_location("hostile", Path(__file__).with_name("hostile.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    urls: list[str] = module.hostile_urls(port)
    return urls


async def test_no_hostile_url_leads_inside(listener: Listener) -> None:
    urls = _hostile_urls(listener.port)
    assert len(urls) >= 150
    async with OutboundClient() as client:
        for url in urls:
            with pytest.raises(AppError) as caught:
                await client.get(url, timeout=2)
            assert caught.value.reason in ("forbidden_address", "outbound_failed"), url
    assert listener.connections == 0


async def test_an_allowance_opens_one_port_and_no_other(listener: Listener) -> None:
    async with OutboundClient((f"127.0.0.1:{listener.port}",)) as client:
        assert (await client.get(f"http://127.0.0.1:{listener.port}/")).text == "hello"
        assert listener.connections == 1
        for url in (f"http://127.0.0.1:{listener.port + 1}/", f"http://[::1]:{listener.port}/"):
            with pytest.raises(InvalidArgument):
                await client.get(url)
    assert listener.connections == 1


async def test_a_name_is_judged_by_all_its_addresses(listener: Listener) -> None:
    for addresses in (
        ["127.0.0.1"],
        ["8.8.8.8", "127.0.0.1"],
        ["::1"],
        ["10.0.0.1"],
        ["::ffff:127.0.0.1"],
        ["fe80::1%lo"],
    ):

        async def resolve(host: str, port: int, answer: list[str] = addresses) -> list[str]:
            return answer

        async with OutboundClient(resolve=resolve) as client:
            with pytest.raises(InvalidArgument) as caught:
                await client.get(f"http://rebind.example.com:{listener.port}/")
        assert caught.value.reason == "forbidden_address"
    assert listener.connections == 0


async def test_a_name_is_asked_once_so_that_it_cannot_change_its_mind(listener: Listener) -> None:
    asked: list[str] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["192.0.2.255"] if len(asked) > 1 else ["127.0.0.1"]

    async with OutboundClient((f"127.0.0.1:{listener.port}",), resolve=resolve) as client:
        answer = await client.get(f"http://receiver.example.com:{listener.port}/hook")
    assert answer.status_code == 200
    assert asked == ["receiver.example.com"]
    assert f"host: receiver.example.com:{listener.port}".encode() in listener.requests[0].lower()


async def test_the_next_address_is_tried_when_one_is_dead(listener: Listener) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.3", "127.0.0.1"]

    allow = (f"127.0.0.3:{listener.port}", f"127.0.0.1:{listener.port}")
    async with OutboundClient(allow, resolve=resolve) as client:
        assert (await client.get(f"http://two.example.com:{listener.port}/")).status_code == 200


async def test_a_redirect_is_an_answer_and_is_not_followed(listener: Listener) -> None:
    inside = Listener()
    await inside.start()

    async def redirect(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/\r\nContent-Length: 0\r\n\r\n" % inside.port)
        await writer.drain()

    listener.answer = redirect
    async with OutboundClient((f"127.0.0.1:{listener.port}",)) as client:
        answer = await client.get(f"http://127.0.0.1:{listener.port}/")
    assert (answer.status_code, inside.connections) == (302, 0)
    await inside.stop()


async def test_a_body_is_sent_and_headers_come_back(listener: Listener) -> None:
    async with OutboundClient((f"127.0.0.1:{listener.port}",)) as client:
        url = f"http://127.0.0.1:{listener.port}/hook?a=b"
        answer = await client.post(url, content=b"{}", headers={"Content-Type": "application/json", "Host": "evil"})
    head = listener.requests[0].decode().lower()
    assert head.startswith("post /hook?a=b http/1.1\r\n")
    assert "content-length: 2" in head
    assert "content-type: application/json" in head
    assert "evil" not in head
    assert answer.headers["x-a"] == "1, 2"
    assert answer.content == b"hello"


@pytest.mark.parametrize("headers", [{"X-A": "1\r\nX-B: 2"}, {"X-A\r\nX-B": "1"}, {"X A": "1"}])
async def test_headers_cannot_be_smuggled(listener: Listener, headers: dict[str, str]) -> None:
    async with OutboundClient((f"127.0.0.1:{listener.port}",)) as client:
        with pytest.raises(Unavailable):
            await client.get(f"http://127.0.0.1:{listener.port}/", headers=headers)
    assert listener.requests == []


async def test_an_endless_answer_is_cut(listener: Listener) -> None:
    async def endless(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
            await writer.drain()

    listener.answer = endless
    async with OutboundClient((f"127.0.0.1:{listener.port}",)) as client:
        with pytest.raises(Unavailable) as caught:
            await client.get(f"http://127.0.0.1:{listener.port}/")
    assert caught.value.reason == "answer_too_large"


async def test_a_slow_answer_is_cut_as_a_whole(listener: Listener) -> None:
    async def slow(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1_000):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    listener.answer = slow
    async with OutboundClient((f"127.0.0.1:{listener.port}",)) as client:
        with pytest.raises(DeadlineExceeded) as caught:
            await client.get(f"http://127.0.0.1:{listener.port}/", timeout=0.3)
    assert caught.value.reason == "outbound_timeout"


@pytest.mark.parametrize("raw", [b"nonsense\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"])
async def test_a_broken_answer_is_unavailable_without_an_address(listener: Listener, raw: bytes) -> None:
    async def broken(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()

    listener.answer = broken
    async with OutboundClient((f"127.0.0.1:{listener.port}",)) as client:
        with pytest.raises(Unavailable) as caught:
            await client.get(f"http://127.0.0.1:{listener.port}/")
    assert caught.value.reason == "outbound_failed"
    assert "127.0.0.1" not in caught.value.detail


def _self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(hours=1))
    certificate = builder.sign(key, hashes.SHA256())
    file = folder / "server.pem"
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(pem + certificate.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


async def test_a_certificate_that_no_one_vouches_for_is_refused(tmp_path: Path) -> None:
    listener = Listener()
    await listener.start(_self_signed(tmp_path))
    async with OutboundClient((f"127.0.0.1:{listener.port}",)) as client:
        with pytest.raises(Unavailable):
            await client.get(f"https://127.0.0.1:{listener.port}/")
    assert listener.requests == []
    await listener.stop()
