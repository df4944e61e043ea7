"""The services that run, asked as an operator: side by side, for as long as a screen can wait, page after page.

It must not know what is asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from echosenseix.common.v1 import common_pb2
from echosenseix.jobs.v1 import jobs_pb2_grpc
from libs.errors import AppError
from libs.rpc.channel import RpcChannel, open_channel
from libs.rpc.context import acting_as
from libs.rpc.principal import PrincipalMinter, service_principal
from local.runner.folder import Folder
from local.runner.keys import Keys
from suite.services import SERVICES

if TYPE_CHECKING:
    from echosenseix.jobs.v1.jobs_pb2_grpc import JobsServiceAsyncStub

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
FetchPage = Callable[[common_pb2.PageRequest], Awaitable[tuple[Iterable[T], common_pb2.PageInfo]]]

# The one caller that every service's queue allows.
_ISSUER = "gateway"
# Reading must not hold a screen up for a service that hangs.
READ_SECONDS = 3.0
# Rows of one request, the most that a list answers.
_PAGE_ROWS = 200


@dataclass(frozen=True)
class Answers(Generic[T_co]):
    """What the services said together, and why some said nothing."""

    found: Sequence[T_co]
    missing: dict[str, AppError]


class Services:
    """Stubs by service name."""

    def __init__(self, stubs: dict[str, JobsServiceAsyncStub]) -> None:
        self._stubs = stubs

    @classmethod
    @asynccontextmanager
    async def connect(cls, folder: Folder) -> AsyncIterator[Self]:
        """Stubs of every service that run.json shows."""
        minter = PrincipalMinter(Keys.load_or_create(folder.keys_file).signing_key(_ISSUER))
        channels = {name: open_channel(addresses, audience=name, minter=minter) for name, addresses in _serving(folder)}
        try:
            with acting_as(service_principal(_ISSUER)):
                yield cls({name: jobs_pb2_grpc.JobsServiceStub(channel) for name, channel in channels.items()})
        finally:
            await asyncio.gather(*(_close(channel) for channel in channels.values()))

    def _named(self, service: str) -> Iterable[str]:
        """One service, or all of them."""
        return (service,) if service else self._stubs

    def _stub(self, service: str) -> JobsServiceAsyncStub:
        if service not in self._stubs:
            raise SystemExit(f"Which service? One of {', '.join(self._stubs)}.")
        return self._stubs[service]


async def ask_each(services: Iterable[str], ask: Callable[[str], Awaitable[Iterable[T]]]) -> Answers[T]:
    """Asks them side by side; one that refuses or does not answer leaves the answers of the others."""
    missing: dict[str, AppError] = {}

    async def asked(service: str) -> Iterable[T]:
        try:
            return await ask(service)
        except AppError as error:
            missing[service] = error
            return ()

    found = await asyncio.gather(*(asked(service) for service in services))
    return Answers([item for items in found for item in items], missing)


async def read_list(fetch: FetchPage[T], limit: int) -> list[T]:
    """The first `limit` rows of a service's list, however many pages that takes."""
    rows: list[T] = []
    cursor = ""
    while len(rows) < limit:
        page = common_pb2.PageRequest(limit=min(_PAGE_ROWS, limit - len(rows)), cursor_mode=True, cursor=cursor)
        found, info = await fetch(page)
        rows += found
        if not info.next_cursor:
            break
        cursor = info.next_cursor
    return rows


def _serving(folder: Folder) -> list[tuple[str, str]]:
    """Each service with the gRPC addresses of all its instances."""
    found: dict[str, list[str]] = {}
    for process in folder.read_run().get("processes", []):
        if process.get("role") == "serve" and process.get("grpc") and process["service"] in SERVICES:
            found.setdefault(process["service"], []).append(process["grpc"])
    return [(service, ",".join(addresses)) for service, addresses in found.items()]


async def _close(channel: RpcChannel) -> None:
    await channel.close()
