"""README's commands, pasted in their order into one shell, against a fresh suite on other ports."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.runner.suite import Suite

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
# What the fixture has done by then.
STARTED = "up"
SECTIONS = ("Start", "Call a service from inside")


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    with Suite(tmp_path_factory.mktemp("read me"), environment={"LIMITS": "bench"}) as running:
        yield running


def blocks(section: str) -> list[str]:
    text = README.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", text, re.DOTALL)


def here(commands: str, suite: Suite) -> str:
    """The commands with this suite's addresses and folder instead of the fixed ones."""
    known = suite.credentials
    agent = suite.process("agent")["grpc"]
    for fixed, own in (
        ("http://127.0.0.1:8080", known["url"]),
        ("http://127.0.0.1:8082", known["eventsUrl"]),
        ("127.0.0.1:7402", agent),
        ("var/credentials.json", str(suite.folder.credentials_file)),
    ):
        commands = commands.replace(fixed, own)
    return commands


def make(suite: Suite) -> str:
    """`make` for this suite's folder: the same commands that the Makefile runs."""
    local, var = f"{shlex.quote(sys.executable)} -m local", shlex.quote(str(suite.folder.path))
    return f"""
python3() {{ {shlex.quote(sys.executable)} "$@"; }}
make() {{
    local target= silent=; for word in "$@"; do case "$word" in
        -s) silent=1 ;; *=*) local "$word"; export "${{word%%=*}}" ;; *) target="$word" ;; esac; done
    case "$target" in
        {STARTED}) ;;
        demo) {local}.demo --var {var} ;;
        *) {local} "$target" --var {var} ;;
    esac
}}
"""


def test_the_commands_work_when_they_are_pasted_in_order(fresh: Suite) -> None:
    pasted = [here(block, fresh) for section in SECTIONS for block in blocks(section)]
    assert len(pasted) >= 4
    script = "set -euo pipefail\n" + make(fresh) + "\necho '--- next'\n".join(pasted)
    answer = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=False, timeout=400)
    assert answer.returncode == 0, answer.stdout[-3000:] + answer.stderr[-3000:]
    started, asked, heard, inside = answer.stdout.split("--- next\n")
    assert "The journey took" in started
    assert "gateway" in started
    assert '"name":"Front desk"' in asked
    assert '"jobId"' in asked
    assert "data: {" in heard
    assert "Front desk" in inside
    assert "displayName" in inside


def test_every_make_target_of_the_readme_is_one() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make (?:-s )?([a-z-]+)", README, re.MULTILINE))
    assert named - targets == set()


def test_every_file_that_the_readme_names_in_commands_is_there() -> None:
    for path in re.findall(r"(?:@|-k )((?:services|k8s)/[\w./-]+)", README):
        assert (ROOT / path).exists(), path
