"""Logs: the last lines by name, and following without losing, splitting or repeating a line."""

from __future__ import annotations

from pathlib import Path

from local.cli.logs import Followed, last_lines, matching
from local.runner.folder import Folder


def folder(tmp_path: Path, **texts: str) -> Folder:
    made = Folder(tmp_path)
    made.logs.mkdir()
    for name, text in texts.items():
        made.log(name.replace("_", "-")).write_text(text)
    return made


def test_a_service_means_its_workers_too(tmp_path: Path) -> None:
    made = folder(tmp_path, agent="", agent_worker="", agent_1="", billing="", calllog="")
    assert [file.stem for file in matching(made, "agent")] == ["agent-1", "agent-worker", "agent"]
    assert [file.stem for file in matching(made, "call-log")] == ["calllog"]
    assert len(matching(made, "")) == 5


def test_the_last_lines_of_a_long_log(tmp_path: Path) -> None:
    made = folder(tmp_path, agent="\n".join(str(number) for number in range(100_000)))
    assert last_lines(made.log("agent"))[-1] == "99999"


def test_following_gives_whole_lines_once(tmp_path: Path) -> None:
    made = folder(tmp_path, agent="before\n")
    followed = Followed(made)
    with made.log("agent").open("a") as log:
        log.write("one\ntw")
        log.flush()
        assert followed.new_lines() == ["agent | one"]
        log.write("o\n")
        log.flush()
    made.log("billing").write_text("new file\n")
    assert followed.new_lines() == ["agent | two", "billing | new file"]
    assert followed.new_lines() == []
