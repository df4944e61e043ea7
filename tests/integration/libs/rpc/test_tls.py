"""TLS by URL to every store, and between the processes, with certificates of an authority made here."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime
import ssl
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

import asyncpg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from google.protobuf.wrappers_pb2 import StringValue

from libs.bus import Bus
from libs.cache.ping import redis_ping
from libs.config import ServiceSettings
from libs.errors import Unavailable
from libs.ids import new_id
from libs.ratelimit import Limit, RateLimiter
from libs.rpc.channel import open_channel
from libs.rpc.principal import PrincipalMinter
from libs.rpc.server import RpcServer
from libs.rpc.tls import channel_credentials
from local.processes.ports import free_ports
from local.processes.process import Child, Command
from local.stores import Stores


@dataclass(frozen=True)
class Authority:
    """Signs certificates; `file` is its own."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def make(cls, folder: Path) -> Authority:
        folder.mkdir()
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate("an authority", key, None, (), key)
        authority = cls(folder, key, certificate)
        authority.file.write_bytes(_pem(certificate))
        return authority

    @property
    def file(self) -> Path:
        return self.folder / "authority.pem"

    def issue(self, name: str) -> tuple[Path, Path]:
        """The files of a certificate for this name and for 127.0.0.1, and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(name, key, self.certificate.subject, (name,), self.key)
        pair = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        pair[0].write_bytes(_pem(certificate))
        pair[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        pair[1].chmod(0o600)
        return pair

    def settings(self, name: str) -> ServiceSettings:
        certificate, key = self.issue(name)
        return ServiceSettings(
            grpc_tls_certificate=certificate.read_text(),
            grpc_tls_key=key.read_text(),
            grpc_tls_authority=self.file.read_text(),
        )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name | None,
    names: tuple[str, ...],
    signer: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if names:
        alternatives: list[x509.GeneralName] = [x509.DNSName(each) for each in names]
        alternatives.append(x509.IPAddress(ip_address("127.0.0.1")))
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return builder.sign(signer, hashes.SHA256())


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """Trusted by this process, as SSL_CERT_FILE says it in an installation."""
    made = Authority.make(tmp_path / "ours")
    monkeypatch.setenv("SSL_CERT_FILE", str(made.file))
    return made


@pytest.fixture
def nats_url(authority: Authority, tmp_path: Path) -> Iterator[str]:
    [port] = free_ports(1)
    certificate, key = authority.issue("nats")
    configuration = tmp_path / "nats.conf"
    configuration.write_text(
        f'listen: "127.0.0.1:{port}"\ntls {{cert_file: "{certificate}", key_file: "{key}"}}\n'
        "authorization {users: [{user: agent, password: pw}]}\n"
    )
    program = str(Path(sys.prefix) / "bin" / "nats-server")
    child = Child(Command(name="nats", argv=[program, "-c", str(configuration)], log=tmp_path / "nats.log"))
    child.start()
    yield f"tls://agent:pw@127.0.0.1:{port}"
    child.stop()


async def test_nats_is_reached_by_tls_and_only_with_a_certificate_that_we_trust(
    nats_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus = await Bus.connect(nats_url, "test")
    assert await bus.wait_connected(10)
    await bus.close()
    monkeypatch.setenv("SSL_CERT_FILE", str(Authority.make(tmp_path / "theirs").file))
    stranger = await Bus.connect(nats_url, "test")
    assert not await stranger.wait_connected(1.5)
    await stranger.close()


@contextlib.asynccontextmanager
async def behind_tls(authority: Authority, name: str, port: int, greeting: bytes = b"") -> AsyncIterator[int]:
    """A port that ends TLS before a store on another: the embedded stores are built without it. PostgreSQL's clients
    ask for TLS first and want the `greeting`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.issue(name))
    tasks: set[asyncio.Task[None]] = set()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            if greeting:
                await reader.readexactly(8)
                writer.write(greeting)
            await writer.start_tls(context)
            theirs, ours = await asyncio.open_connection("127.0.0.1", port)
            tasks.update({asyncio.ensure_future(relay(reader, ours)), asyncio.ensure_future(relay(theirs, writer))})
            return
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_grpc_speaks_tls_to_the_named_service_and_asks_for_the_callers_certificate(
    authority: Authority, tmp_path: Path, echo_module: ModuleType
) -> None:
    minter = PrincipalMinter(f"agent={base64.b64encode(b'a' * 32).decode()}")
    settings = replace(authority.settings("echo"), principal_trusted_keys=(minter.public_key(),))
    server = RpcServer(settings, "echo", [(echo_module.add_echo, echo_module.Echo())], access=echo_module.ACCESS)
    address = await server.start()
    ours = channel_credentials(authority.settings("agent"))
    async with open_channel(f"{address},{address}", audience="echo", minter=minter, credentials=ours) as channel:
        assert (await echo_module.EchoStub(channel).say(StringValue(value="hello"))).value == "hello"
    theirs = channel_credentials(Authority.make(tmp_path / "theirs").settings("agent"))
    named_otherwise = open_channel(address, audience="billing", minter=minter, credentials=ours)
    unknown = open_channel(address, audience="echo", minter=minter, credentials=theirs)
    plain = open_channel(address, audience="echo", minter=minter)
    for refused in (named_otherwise, unknown, plain):
        async with refused as channel:
            with pytest.raises(Unavailable):
                await echo_module.EchoStub(channel).say(StringValue(value="hello"), timeout=2.0)
    await server.stop(0)


async def test_postgresql_is_reached_by_tls_and_only_with_a_certificate_that_we_trust(
    authority: Authority, tmp_path: Path, stores: Stores
) -> None:
    url = urlsplit(stores.postgres_admin_dsn)
    async with behind_tls(authority, "postgres", url.port or 0, greeting=b"S") as port:
        dsn = f"postgresql://{url.username}:{url.password}@127.0.0.1:{port}/postgres?sslmode=verify-full&sslrootcert="
        connection = await asyncpg.connect(dsn + str(authority.file))
        assert await connection.fetchval("select 1") == 1
        await connection.close()
        with pytest.raises(ssl.SSLError):
            await asyncpg.connect(dsn + str(Authority.make(tmp_path / "theirs").file))


async def test_redis_is_reached_by_tls_and_only_with_a_certificate_that_we_trust(
    authority: Authority, tmp_path: Path, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = urlsplit(stores.redis_url)
    async with behind_tls(authority, "redis", url.port or 0) as port:
        encrypted = f"rediss://:{url.password}@127.0.0.1:{port}/0"
        assert await redis_ping(encrypted)
        limiter = await RateLimiter.open(encrypted)
        key = new_id("key")
        await limiter.take([Limit(key, 5, 60.0)])
        await limiter.close()
        plain = await RateLimiter.open(stores.redis_url)
        assert (await plain.take([Limit(key, 5, 60.0)])).remaining == 3
        await plain.close()
        monkeypatch.setenv("SSL_CERT_FILE", str(Authority.make(tmp_path / "theirs").file))
        assert not await redis_ping(encrypted)
