"""A scan waits for recognition in its queue: it takes no place in which texts are read, and no time of its job."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

from echosenseix.knowledge.v1 import knowledge_pb2 as pb
from libs.ids import new_id
from libs.sandbox import Limits, Sandbox, Usage

from . import hostile
from .conftest import PATIENCE, Service


class HeldRecognition(Sandbox):
    """In place of the models, which are not installed here: it says one sentence once it is released."""

    def __init__(self) -> None:
        super().__init__(())
        self.released = asyncio.Event()
        self.begun: asyncio.Queue[None] = asyncio.Queue()
        self.running = self.most_running = 0

    async def stream(
        self,
        fn: Callable[..., Any] | str,
        *args: Any,
        limits: Limits,
        attachment: int | None = None,
        on_progress: Callable[[int, str], Awaitable[None]] | None = None,
        usage: Usage | None = None,
    ) -> AsyncGenerator[Any, None]:
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        self.begun.put_nowait(None)
        try:
            await self.released.wait()
            yield ["pages", 1, 1]
            yield ["chunks", [[0, "The ferry leaves at noon.", "", 1, 6, True, 0, 25]]]
        finally:
            self.running -= 1


async def test_texts_are_read_while_scans_of_others_wait(
    build_service: Callable[..., Awaitable[Service]], org: str
) -> None:
    recognition = HeldRecognition()
    service = await build_service(scans=recognition)
    orgs = [new_id("org") for _ in range(3)]
    async with service.work():
        scans = [await service.upload(orgs[0], hostile.pdf_scan(), "scan.pdf")]
        async with asyncio.timeout(PATIENCE):
            await recognition.begun.get()
        scans += [await service.upload(owner, hostile.pdf_scan(), "scan.pdf") for owner in orgs[1:]]
        for waiting in scans[1:]:
            await _until_it_waits(service, waiting.job_id)

        text = await service.upload(org, b"Words that are read at once.", "a.txt")
        assert (await service.until_settled(org, text.entry_id)).status == pb.DOCUMENT_STATUS_COMPLETED

        assert not recognition.released.is_set()
        assert (await service.job(scans[0].job_id))["state"] == "running"
        recognition.released.set()
        entries = [await service.until_settled(owner, scan.entry_id) for owner, scan in zip(orgs, scans, strict=True)]
        ended = [await service.until_job_ended(scan.job_id) for scan in scans]

    assert {entry.status for entry in entries} == {pb.DOCUMENT_STATUS_COMPLETED}
    assert [(job["attempt"], job["error_code"]) for job in ended] == [(1, None)] * 3
    assert recognition.most_running == 1


async def _until_it_waits(service: Service, job_id: str) -> None:
    """Until the job is back in its queue, which says why."""
    async with asyncio.timeout(PATIENCE):
        while (job := await service.job(job_id))["error_code"] != "recognition_busy":
            await asyncio.sleep(0.05)
    assert job["attempt"] <= 1
