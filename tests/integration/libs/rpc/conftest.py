import base64
import importlib.util
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType

import grpc
import pytest
import pytest_asyncio

from libs.config import ServiceSettings
from libs.rpc.channel import RpcChannel, open_channel
from libs.rpc.principal import PrincipalMinter
from libs.rpc.server import RpcServer


def _minter(issuer: str, seed: bytes) -> PrincipalMinter:
    return PrincipalMinter(f"{issuer}={base64.b64encode(seed * 32).decode()}")


@pytest.fixture(scope="session")
def echo_module() -> ModuleType:
    path = Path(__file__).with_name("echo.py")
    spec = importlib.util.spec_from_file_location("echo_service", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["echo_service"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def gateway() -> PrincipalMinter:
    return _minter("gateway", b"g")


@pytest.fixture(scope="session")
def agent() -> PrincipalMinter:
    return _minter("agent", b"a")


@pytest_asyncio.fixture
async def echo(echo_module: ModuleType) -> object:
    return echo_module.Echo()


@pytest_asyncio.fixture
async def address(
    echo_module: ModuleType, echo: object, gateway: PrincipalMinter, agent: PrincipalMinter
) -> AsyncIterator[str]:
    settings = ServiceSettings(principal_trusted_keys=(gateway.public_key(), agent.public_key()))
    server = RpcServer(settings, "echo", [(echo_module.add_echo, echo)], access=echo_module.ACCESS)
    yield await server.start()
    await server.stop(0)


@pytest_asyncio.fixture
async def channel(address: str, agent: PrincipalMinter) -> AsyncIterator[RpcChannel]:
    """The channel of a service that calls the echo service."""
    async with open_channel(address, audience="echo", minter=agent) as opened:
        yield opened


@pytest_asyncio.fixture
async def bare(address: str) -> AsyncIterator[grpc.aio.Channel]:
    """A stranger's channel, without any of ours."""
    async with grpc.aio.insecure_channel(address) as opened:
        yield opened
