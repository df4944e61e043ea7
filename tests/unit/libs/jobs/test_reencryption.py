"""When jobs that encrypt anew are written."""

from __future__ import annotations

import asyncio
import base64

import pytest

from libs.crypto import Envelope
from libs.jobs import Enqueuer, NewJob, reencryption
from libs.jobs.reencryption import Reencryption, reencryption_kind

OLD, NEW = (f"{kid}={base64.b64encode(kid.encode() * 16).decode()}" for kid in ("k1", "k2"))


async def test_a_second_job_comes_when_every_process_has_the_new_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process may store a value under the key of before until it has read the changed file."""
    written: asyncio.Queue[str] = asyncio.Queue()

    async def enqueue(self: Enqueuer, job: NewJob) -> str:
        await written.put(str((job.args or {})["kid"]))
        return "job_1"

    monkeypatch.setattr(Enqueuer, "enqueue", enqueue)
    monkeypatch.setattr(reencryption, "_PROPAGATION_SECONDS", 0.05)
    work, stop = Reencryption(reencryption_kind("agent"), Envelope([OLD]), ()), asyncio.Event()
    running = asyncio.create_task(work.start_jobs(None, None, stop))  # type: ignore[arg-type]
    work.take_keys([OLD])
    work.take_keys([NEW, OLD])
    async with asyncio.timeout(20):
        assert [await written.get() for _ in range(2)] == ["k2", "k2"]
    stop.set()
    await running
    assert written.empty()
