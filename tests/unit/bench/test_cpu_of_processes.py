"""The CPU of a set of processes between two counts."""

from __future__ import annotations

import os

from bench.http.__main__ import cpu_micros, spent_micros


def test_processes_that_begin_or_end_between_two_counts_do_not_count() -> None:
    assert spent_micros({1: 100.0, 2: 5_000.0}, {1: 140.0, 3: 9_000.0}) == 40.0


def test_a_process_that_is_gone_is_in_no_count() -> None:
    beyond_every_pid = 1 << 30
    assert cpu_micros([os.getpid(), beyond_every_pid]).keys() == {os.getpid()}
