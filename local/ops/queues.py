"""Queues and dead letters of every service, over the services' own JobsService."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from echosenseix.common.v1 import common_pb2
from echosenseix.jobs.v1 import jobs_pb2 as pb
from echosenseix.jobs.v1 import jobs_pb2_grpc
from libs.errors import AppError
from libs.ids import job_owner
from libs.rpc.channel import RpcChannel, open_channel
from libs.rpc.context import acting_as
from libs.rpc.principal import PrincipalMinter, service_principal
from local.keys import SERVICES, Keys
from local.state import Folder

if TYPE_CHECKING:
    from echosenseix.jobs.v1.jobs_pb2_grpc import JobsServiceAsyncStub

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

# The key that signs for the operator: the owner of what operators mostly look at.
_ISSUER = "realtime"
# Reading must not hold a screen up for a service that hangs.
_READ_SECONDS = 3.0


@dataclass(frozen=True)
class Answers(Generic[T_co]):
    """What the services said together, and why some said nothing."""

    found: Sequence[T_co]
    missing: dict[str, AppError]


class Queues:
    def __init__(self, stubs: dict[str, JobsServiceAsyncStub]) -> None:
        self._stubs = stubs

    @classmethod
    @asynccontextmanager
    async def connect(cls, folder: Folder) -> AsyncIterator[Queues]:
        """Stubs of every service that run.json shows."""
        minter = PrincipalMinter(Keys.load_or_create(folder.keys_file).signing_key(_ISSUER))
        channels = {name: open_channel(addresses, audience=name, minter=minter) for name, addresses in _serving(folder)}
        try:
            with acting_as(service_principal(_ISSUER)):
                yield cls({name: jobs_pb2_grpc.JobsServiceStub(channel) for name, channel in channels.items()})
        finally:
            await asyncio.gather(*(_close(channel) for channel in channels.values()))

    async def all(self) -> Answers[pb.Queue]:
        async def ask(service: str) -> Iterable[pb.Queue]:
            stub = self._stub(service)
            answer: pb.ListQueuesResponse = await stub.ListQueues(pb.ListQueuesRequest(), timeout=_READ_SECONDS)
            return answer.queues

        answers = await _each(self._stubs, ask)
        return Answers(sorted(answers.found, key=lambda queue: (queue.service, queue.name)), answers.missing)

    async def dead(self, service: str, queue: str, kind: str, limit: int) -> Answers[pb.Job]:
        """The newest dead letters, at most `limit`, of one service or ("") of all; queue and kind "" mean any."""
        page = common_pb2.PageRequest(limit=limit, cursor_mode=True)
        request = pb.ListDeadLettersRequest(page=page, queue=queue, kind=kind)

        async def ask(service: str) -> Iterable[pb.Job]:
            stub = self._stub(service)
            answer: pb.ListDeadLettersResponse = await stub.ListDeadLetters(request, timeout=_READ_SECONDS)
            return answer.jobs

        answers = await _each(self._named(service), ask)
        newest = sorted(answers.found, key=lambda job: job.finish_time.ToNanoseconds(), reverse=True)
        return Answers(newest[:limit], answers.missing)

    async def pause(self, service: str, queue: str) -> pb.Queue:
        answer: pb.PauseQueueResponse = await self._stub(service).PauseQueue(pb.PauseQueueRequest(queue=queue))
        return answer.queue

    async def resume(self, service: str, queue: str) -> pb.Queue:
        answer: pb.ResumeQueueResponse = await self._stub(service).ResumeQueue(pb.ResumeQueueRequest(queue=queue))
        return answer.queue

    async def replay(self, service: str, queue: str, kind: str, error_code: str) -> Answers[int]:
        """Put dead letters back by filter, at most 1,000 of each service at once; how many."""
        request = pb.ReplayDeadLettersRequest(queue=queue, kind=kind, error_code=error_code)
        return await self._replay(dict.fromkeys(self._named(service), request))

    async def replay_ids(self, ids: Iterable[str]) -> Answers[int]:
        """Put exactly these back; how many of them were dead letters."""
        requests: dict[str, pb.ReplayDeadLettersRequest] = {}
        for job_id in ids:
            # An id names its service, so nobody has to.
            requests.setdefault(job_owner(job_id) or "", pb.ReplayDeadLettersRequest()).ids.append(job_id)
        return await self._replay(requests)

    async def _replay(self, requests: Mapping[str, pb.ReplayDeadLettersRequest]) -> Answers[int]:
        stubs = {service: self._stub(service) for service in requests}

        async def ask(service: str) -> Iterable[int]:
            answer: pb.ReplayDeadLettersResponse = await stubs[service].ReplayDeadLetters(requests[service])
            return (answer.replayed,)

        return await _each(requests, ask)

    def _named(self, service: str) -> Iterable[str]:
        """One service, or all of them."""
        return (service,) if service else self._stubs

    def _stub(self, service: str) -> JobsServiceAsyncStub:
        if service not in self._stubs:
            raise SystemExit(f"Which service? One of {', '.join(self._stubs)}.")
        return self._stubs[service]


async def _each(services: Iterable[str], ask: Callable[[str], Awaitable[Iterable[T]]]) -> Answers[T]:
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


def _serving(folder: Folder) -> list[tuple[str, str]]:
    """Each service with the gRPC addresses of all its instances."""
    found: dict[str, list[str]] = {}
    for process in folder.read_run().get("processes", []):
        if process.get("role") == "serve" and process.get("grpc") and process["service"] in SERVICES:
            found.setdefault(process["service"], []).append(process["grpc"])
    return [(service, ",".join(addresses)) for service, addresses in found.items()]


async def _close(channel: RpcChannel) -> None:
    await channel.close()
