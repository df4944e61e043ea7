"""Forks of a template: children like any other, with the code that is on the disk now."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.processes.forking import Template
from local.processes.process import Child, Command

# A number of the kernel's interface (linux/prctl.h).
PR_GET_CHILD_SUBREAPER = 37
SHARED = "import os\nLOADED_BY = os.getpid()\nWORD = 'first'\n"
PROGRAM = """
import json, os, shared_by_all, signal, sys
if sys.argv[1:] == ["stay", "ignoring"]:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
mine = {"parent": os.getppid(), "loaded_by": shared_by_all.LOADED_BY, "word": shared_by_all.WORD, "pid": os.getpid()}
told = {"arguments": sys.argv[1:], "name": __name__, "environment": dict(os.environ), "folder": os.getcwd()}
print(json.dumps(mine | told), flush=True)
if sys.argv[1:2] == ["stay"]:
    import time
    time.sleep(600)
sys.exit(7)
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "shared_by_all.py").write_text(SHARED)
    (tmp_path / "program.py").write_text(PROGRAM)
    return tmp_path


@pytest.fixture
def template(tree: Path) -> Iterator[Template]:
    made = Template(["shared_by_all"], {"PATH": os.environ["PATH"], "OF_TEMPLATE": "1"}, tree)
    yield made
    made.close()


def child(tree: Path, template: Template | None, *arguments: str) -> Child:
    argv = [sys.executable, "-m", "program", *arguments]
    log = tree / "log" / "program.log"
    return Child(Command("program", argv, log, {"TOLD": "this"}, cwd=tree), template)


def said(child: Child) -> dict[str, object]:
    deadline = time.monotonic() + 20
    while not (lines := child.command.log.read_text().splitlines()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    answer: dict[str, object] = json.loads(lines[-1])
    return answer


def test_a_fork_is_our_child_with_what_it_was_told(tree: Path, template: Template) -> None:
    one = child(tree, template, "a", "b c")
    one.start()
    pid = one.pid
    assert one.wait(20)
    assert one.exit_code == 7
    assert not one.running
    answer = said(one)
    assert answer["parent"] == os.getpid()
    assert answer["pid"] == pid
    assert answer["loaded_by"] not in (os.getpid(), pid)
    assert (answer["arguments"], answer["name"], answer["folder"]) == (["a", "b c"], "__main__", str(tree))
    assert isinstance(answer["environment"], dict)
    assert answer["environment"]["TOLD"] == "this"
    assert "OF_TEMPLATE" not in answer["environment"]


def test_the_list_of_processes_shows_what_runs(tree: Path, template: Template) -> None:
    one = child(tree, template, "stay")
    one.start()
    said(one)
    shown = Path(f"/proc/{one.pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    assert shown == [word.encode() for word in (sys.executable, "-m", "program", "stay")]
    one.kill()
    assert one.exit_code == -signal.SIGKILL


def test_a_fork_has_the_code_that_is_on_the_disk(tree: Path, template: Template) -> None:
    before = child(tree, template)
    before.start()
    assert before.wait(20)
    (tree / "shared_by_all.py").write_text(SHARED.replace("first", "second, and longer"))
    after = child(tree, template)
    after.start()
    assert after.wait(20)
    assert said(after)["word"] == "second, and longer"
    assert said(after)["loaded_by"] not in (os.getpid(), said(after)["pid"])


def test_a_program_starts_where_the_template_is_gone(tree: Path, template: Template) -> None:
    template.close()
    one = child(tree, template)
    one.start()
    assert one.wait(20)
    assert one.exit_code == 7
    assert said(one)["loaded_by"] == said(one)["pid"]


def test_other_orphans_do_not_become_ours(tree: Path, template: Template) -> None:
    one = child(tree, template)
    one.start()
    answer = ctypes.c_int(-1)
    ctypes.CDLL(None).prctl(PR_GET_CHILD_SUBREAPER, ctypes.byref(answer), 0, 0, 0)
    assert answer.value == 0
    assert one.wait(20)


def test_a_stop_ends_a_fork_that_does_not_listen(tree: Path, template: Template) -> None:
    one = child(tree, template, "stay", "ignoring")
    one.start()
    said(one)
    one.stop(0.2)
    assert one.exit_code == -signal.SIGKILL
