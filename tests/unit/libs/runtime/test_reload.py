"""The development entry point: it restarts after an edit and ends as its module ended."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

from libs.runtime.reload import watch

WRITES_A_LINE = """
import pathlib, time
with pathlib.Path("starts.txt").open("a") as file:
    file.write("start\\n")
time.sleep(60)
"""


def test_it_ends_with_the_exit_code_of_a_module_that_ends_by_itself(tmp_path: Path) -> None:
    assert watch([sys.executable, "-c", "raise SystemExit(7)"], tmp_path, threading.Event()) == 7


def test_an_edit_restarts_the_module_and_stop_ends_it(tmp_path: Path) -> None:
    module, stop = tmp_path / "module.py", threading.Event()
    starts = tmp_path / "starts.txt"
    module.write_text(WRITES_A_LINE.replace("starts.txt", str(starts)))
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(watch([sys.executable, str(module)], tmp_path, stop)))
    thread.start()
    _wait_for_lines(starts, 1)
    module.write_text(module.read_text() + "\n# edited\n")
    _wait_for_lines(starts, 2)
    stop.set()
    thread.join(20)
    assert codes == [-15]


def _wait_for_lines(file: Path, count: int) -> None:
    deadline = time.monotonic() + 20
    while not file.exists() or file.read_text().count("\n") < count:
        assert time.monotonic() < deadline
        time.sleep(0.05)
