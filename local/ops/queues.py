"""Queues and dead letters of every service, over the services' own JobsService."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from echosenseix.jobs.v1 import jobs_pb2 as pb
from echosenseix.jobs.v1 import jobs_pb2_grpc
from libs.rpc.channel import RpcChannel, open_channel
from libs.rpc.context import acting_as
from libs.rpc.principal import PrincipalMinter, service_principal
from local.keys import SERVICES, Keys
from local.state import Folder

if TYPE_CHECKING:
    from echosenseix.jobs.v1.jobs_pb2_grpc import JobsServiceAsyncStub

# The key that signs for the operator: the owner of what operators mostly look at.
_ISSUER = "realtime"


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

    async def all(self) -> list[pb.Queue]:
        answers = await asyncio.gather(*(stub.ListQueues(pb.ListQueuesRequest()) for stub in self._stubs.values()))
        return sorted((queue for answer in answers for queue in answer.queues), key=lambda row: (row.service, row.name))

    async def pause(self, service: str, queue: str) -> pb.Queue:
        answer: pb.PauseQueueResponse = await self._stub(service).PauseQueue(pb.PauseQueueRequest(queue=queue))
        return answer.queue

    async def resume(self, service: str, queue: str) -> pb.Queue:
        answer: pb.ResumeQueueResponse = await self._stub(service).ResumeQueue(pb.ResumeQueueRequest(queue=queue))
        return answer.queue

    async def replay(self, service: str, queue: str) -> int:
        """Put a queue's dead letters back, at most 1,000 at once; how many."""
        request = pb.ReplayDeadLettersRequest(queue=queue)
        answer: pb.ReplayDeadLettersResponse = await self._stub(service).ReplayDeadLetters(request)
        return answer.replayed

    def _stub(self, service: str) -> JobsServiceAsyncStub:
        if service not in self._stubs:
            raise SystemExit(f"Which service? One of {', '.join(self._stubs)}.")
        return self._stubs[service]


def _serving(folder: Folder) -> list[tuple[str, str]]:
    """Each service with the gRPC addresses of all its instances."""
    found: dict[str, list[str]] = {}
    for process in folder.read_run().get("processes", []):
        if process.get("role") == "serve" and process.get("grpc") and process["service"] in SERVICES:
            found.setdefault(process["service"], []).append(process["grpc"])
    return [(service, ",".join(addresses)) for service, addresses in found.items()]


async def _close(channel: RpcChannel) -> None:
    await channel.close()
