"""How long scans wait that find recognition busy: the more of them come again, the longer."""

from __future__ import annotations

from services.knowledge.operations.indexing import WaitingScans


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_a_worker_tries_one_scan_a_second_however_many_wait() -> None:
    scans = WaitingScans(Clock())
    assert scans.seconds_to_next_try == 2.0
    for number in range(90):
        scans.add(f"build_{number}")
        scans.add("build_0")
    assert scans.seconds_to_next_try == 90.0


def test_scans_that_do_not_come_again_are_forgotten() -> None:
    clock = Clock()
    scans = WaitingScans(clock)
    for number in range(20):
        scans.add(f"build_{number}")
    for _ in range(5):
        clock.now += 20
        scans.add("build_7")
    assert [number for number in range(20) if f"build_{number}" in scans] == [7]
    assert scans.seconds_to_next_try == 2.0


def test_scans_that_come_again_in_their_time_are_kept() -> None:
    clock = Clock()
    scans = WaitingScans(clock)
    for number in range(200):
        scans.add(f"build_{number}")
    for number in range(200):
        clock.now += 1
        scans.add(f"build_{number}")
    assert scans.seconds_to_next_try == 200.0


def test_a_scan_that_begins_waits_no_longer() -> None:
    scans = WaitingScans(Clock())
    scans.add("build_1")
    scans.remove("build_1")
    scans.remove("build_2")
    assert "build_1" not in scans


def test_their_number_is_bounded() -> None:
    scans = WaitingScans(Clock())
    for number in range(700):
        scans.add(f"build_{number}")
    assert scans.seconds_to_next_try == 600.0
