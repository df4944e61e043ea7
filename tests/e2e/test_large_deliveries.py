"""A recording of 60 MiB through the whole suite: it arrives as it was sent, and no process on its way holds it."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from local.runner.suite import Suite
from tests.patience import PATIENCE_SECONDS

from .conftest import Customer, problem
from .deliveries import Account, audio, conversation, fresh_id

MEBIBYTE = 1024 * 1024
# 44 MiB of sound are 59 MiB in base64.
SOUND = b"ID3" + random.Random(7).randbytes(44 * MEBIBYTE)
# What a process may grow by: two parts of an upload, 5 MiB each, and buffers. A copy of the delivery does not fit.
GROWTH_BYTES = 48 * MEBIBYTE
ON_THE_WAY = ("gateway", "calllog", "calllog-worker")


@pytest.fixture(scope="module")
def elevenlabs(customer: Callable[[], Customer]) -> Account:
    return Account(customer(), "elevenlabs")


def peaks(suite: Suite, reset: bool = False) -> dict[int, int]:
    """The largest resident set of each process on the way since the last reset, in bytes, by its pid."""
    found = {}
    for process in suite.run["processes"]:
        if process["name"].rstrip("0123456789-") in ON_THE_WAY:
            folder = Path(f"/proc/{process['pid']}")
            if reset:
                (folder / "clear_refs").write_text("5")
            lines = (folder / "status").read_text("ascii").splitlines()
            found[process["pid"]] = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    return found


def test_a_recording_of_60_mebibytes_arrives_and_no_process_holds_it(suite: Suite, elevenlabs: Account) -> None:
    elevenlabs.told(conversation(number := fresh_id()), number)
    before = peaks(suite, reset=True)
    assert len(before) >= len(ON_THE_WAY)
    answer = elevenlabs.deliver(audio(number, SOUND), chunked=True)
    assert answer.status_code == 200, answer.text
    recording = elevenlabs.call(number)["recording"]
    assert recording["status"] == "available"
    with elevenlabs.customer.http.stream("GET", recording["url"]) as download:
        assert b"".join(download.iter_bytes()) == SOUND
    grown = {pid: peak - before[pid] for pid, peak in peaks(suite).items()}
    assert max(grown.values()) < GROWTH_BYTES, grown
    assert elevenlabs.deliver(audio(number, SOUND)).json()["duplicate"] is True


def test_one_byte_more_than_64_mebibytes_is_refused_before_it_is_read(elevenlabs: Account) -> None:
    answer = elevenlabs.deliver(b" " * (64 * MEBIBYTE + 1))
    assert "64 MiB" in problem(answer, 413, "payload_too_large")["detail"]


def test_a_delivery_that_breaks_off_loses_nothing(elevenlabs: Account) -> None:
    elevenlabs.told(conversation(number := fresh_id()), number)
    body = json.dumps(audio(number, SOUND)).encode()

    def broken() -> Iterator[bytes]:
        for start in range(0, 20 * MEBIBYTE, 64 * 1024):
            yield body[start : start + 64 * 1024]
        raise ConnectionError("the sender went away")

    with pytest.raises((httpx.HTTPError, ConnectionError)):
        elevenlabs.customer.bearing(None).post(elevenlabs.path, content=broken(), headers=elevenlabs.signature(body))
    assert elevenlabs.call(number)["recording"] is None
    assert elevenlabs.deliver(body).status_code == 200
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (elevenlabs.call(number)["recording"] or {}).get("status") != "available":
        assert time.monotonic() < deadline
        time.sleep(0.1)
