"""The guide's blocks run as they stand, in their order, in each of the three languages."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from local.paths import ROOT

from .conftest import Customer

GUIDE = ROOT / "docs" / "guide.md"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# A line that each language prints behind block {number}.
MARKS = {
    "bash": 'echo "block {number}"\n',
    "python": 'print("block {number}")\n',
    "javascript": 'console.log("block {number}");\n',
}
COMMANDS = {
    "bash": ["bash", "-euo", "pipefail"],
    "python": [sys.executable],
    "javascript": ["node"],
}
NAMES = {"bash": "guide.sh", "python": "guide.py", "javascript": "guide.mjs"}


def blocks(language: str) -> list[str]:
    return [text for name, text in _BLOCK.findall(GUIDE.read_text("utf-8")) if name == language]


def program(language: str) -> str:
    parts = blocks(language)
    marked = [text + "\n" + MARKS[language].format(number=number) for number, text in enumerate(parts, start=1)]
    text = "".join(marked)
    if language != "javascript":
        return text
    imports = re.findall(r"^import .*\n", text, re.MULTILINE)
    return "".join(imports) + re.sub(r"^import .*\n", "", text, flags=re.MULTILINE)


@pytest.fixture
def receiver() -> Iterator[str]:
    """Takes every delivery."""

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", free_port()), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hook"
    server.shutdown()
    server.server_close()


def free_port() -> int:
    """One of the ports that the local suite delivers to."""
    for port in range(9990, 9899, -1):
        try:
            HTTPServer(("127.0.0.1", port), BaseHTTPRequestHandler).server_close()
        except OSError:
            continue
        return port
    raise AssertionError("every port that receivers may have is taken")


def test_the_languages_stand_side_by_side() -> None:
    order = [name for name, _ in _BLOCK.findall(GUIDE.read_text("utf-8")) if name in MARKS]
    assert len(order) >= 24
    assert order == list(MARKS) * (len(order) // len(MARKS))


@pytest.mark.parametrize("language", list(MARKS))
def test_every_block_runs_in_its_order(ada: Customer, receiver: str, tmp_path: Path, language: str) -> None:
    assert shutil.which(COMMANDS[language][0]), "the guide needs bash, Python and Node"
    script = tmp_path / NAMES[language]
    script.write_text(program(language), encoding="utf-8")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT / "clients" / "python"),
        "ECHOSENSEIX_URL": ada.url,
        "ECHOSENSEIX_KEY": ada.key("*")["secret"],
        "RECEIVER": receiver,
        "PORT": str(free_port()),
    }
    ran = subprocess.run(
        [*COMMANDS[language], str(script)], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    printed = ran.stdout.splitlines()
    number = len(blocks(language))
    assert [line for line in printed if line.startswith("block ")] == [f"block {n}" for n in range(1, number + 1)]
    assert any("We open at nine in the morning." in line for line in printed)
    assert any("agent_not_found" in line for line in printed)
    top_ups = [line for line in printed if re.fullmatch(r"top_\w+", line)]
    assert len(top_ups) == 2
    assert len(set(top_ups)) == 1
