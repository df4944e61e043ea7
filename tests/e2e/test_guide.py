"""The blocks of the guide and of the page about agencies run as they stand, in order, in each of three languages."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from local.paths import ROOT

from .conftest import Customer

GUIDE, AGENCIES = (ROOT / "docs" / name for name in ("guide.md", "agencies.md"))
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


def blocks(language: str, page: Path = GUIDE) -> list[str]:
    return [text for name, text in _BLOCK.findall(page.read_text("utf-8")) if name == language]


def program(language: str, parts: list[str]) -> str:
    marked = [text + "\n" + MARKS[language].format(number=number) for number, text in enumerate(parts, start=1)]
    text = "".join(marked)
    if language != "javascript":
        return text
    imports = re.findall(r"^import .*\n", text, re.MULTILINE)
    return "".join(imports) + re.sub(r"^import .*\n", "", text, flags=re.MULTILINE)


def printed(language: str, parts: list[str], folder: Path, customer: Customer, **more: str) -> list[str]:
    """The lines of the blocks' output without those that mark their ends, each of which must be there."""
    assert shutil.which(COMMANDS[language][0]), "the guide needs bash, Python and Node"
    script = folder / NAMES[language]
    script.write_text(program(language, parts), encoding="utf-8")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT / "clients" / "python"),
        "ECHOSENSEIX_URL": customer.url,
        "ECHOSENSEIX_KEY": customer.key("*")["secret"],
        **more,
    }
    ran = subprocess.run(
        [*COMMANDS[language], str(script)], cwd=folder, env=environment, capture_output=True, text=True, timeout=240
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    marks = [f"block {number}" for number in range(1, len(parts) + 1)]
    lines = ran.stdout.splitlines()
    assert [line for line in lines if line.startswith("block ")] == marks
    return [line for line in lines if line not in marks]


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


@pytest.mark.parametrize(("page", "least"), [(GUIDE, 24), (AGENCIES, 3)], ids=lambda each: getattr(each, "stem", ""))
def test_the_languages_stand_side_by_side(page: Path, least: int) -> None:
    order = [name for name, _ in _BLOCK.findall(page.read_text("utf-8")) if name in MARKS]
    assert len(order) >= least
    assert order == list(MARKS) * (len(order) // len(MARKS))


@pytest.mark.parametrize("language", list(MARKS))
def test_every_block_runs_in_its_order(ada: Customer, receiver: str, tmp_path: Path, language: str) -> None:
    lines = printed(language, blocks(language), tmp_path, ada, RECEIVER=receiver, PORT=str(free_port()))
    assert any("We open at nine in the morning." in line for line in lines)
    assert any("agent_not_found" in line for line in lines)
    top_ups = [line for line in lines if re.fullmatch(r"top_\w+", line)]
    assert len(top_ups) == 2
    assert len(set(top_ups)) == 1


@pytest.mark.parametrize("language", list(MARKS))
def test_an_agency_acts_in_its_customer_behind_the_guides_start(
    customer: Callable[[], Customer], tmp_path: Path, language: str
) -> None:
    agency = customer()
    parts = [blocks(language)[0], *blocks(language, AGENCIES)]
    assert printed(language, parts, tmp_path, agency) == ["Reception"]
    [child] = agency.http.get(f"/api/organizations/{agency.organization['id']}/children").json()["data"]
    assert child["name"] == "Looms"
    within = agency.http.get("/api/agents", headers={"X-Organization-Id": child["id"]}).json()
    assert [agent["name"] for agent in within["data"]] == ["Reception"]
    assert agency.http.get("/api/agents").json()["total"] == 0
