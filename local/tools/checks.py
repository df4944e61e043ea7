"""`make check`: everything that must pass before a change lands, fastest first; stops at the first round that fails.

A round is one or more independent stages. Its stages run at the same time; the next round begins when all have ended.
The output of a stage is shown when it fails. A table at the end shows what each stage took.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from local.paths import ROOT
from local.terminal import say

BIN = Path(sys.prefix) / "bin"
# Seconds that the processes of a stage may take to end after it. A killed suite needs about 2 s to stop its stores.
LEAVE_SECONDS = 5.0


@dataclass(frozen=True)
class Stage:
    """One command, run at the project's root."""

    name: str
    command: Sequence[str]
    has_summary: bool = False  # its last line is shown when it passes


@dataclass(frozen=True)
class Outcome:
    """How a stage ended: an empty `failure` is success."""

    stage: Stage
    failure: str
    seconds: float


Round = Sequence[Stage]


# The tests of some paths, with a line for each that did not pass.
_PYTEST = (sys.executable, "-m", "pytest", "-q", "-ra")


def _tool(name: str, *arguments: str) -> tuple[str, ...]:
    return (str(BIN / name), *arguments)


def _tests(name: str, *folders: str) -> Stage:
    paths = tuple(f"tests/{folder}" for folder in folders or (name,))
    return Stage(name, (*_PYTEST, *paths), has_summary=True)


LINT = (
    Stage("ruff check", _tool("ruff", "check", "--quiet", ".")),
    Stage("ruff format", _tool("ruff", "format", "--quiet", "--check", ".")),
    Stage("buf lint", _tool("buf", "lint")),
    Stage("buf format", _tool("buf", "format", "--diff", "--exit-code")),
    Stage("import contracts", _tool("lint-imports", "--no-cache")),
)
TYPES = (Stage("mypy", _tool("mypy")),)
SECURITY = (_tests("security"),)
# Installs its generators the first time (40 s); `make clients` has the long form.
CLIENTS = Stage("generated clients", (sys.executable, "-m", "local.tools.clients", "--short"))
# Passes where no advisory service can be reached, and its line in the output says so; `make audit` fails then.
AUDIT = Stage(
    "dependency audit",
    (sys.executable, "-m", "local.tools.dependencies", "audit", "--closed"),
    has_summary=True,
)
# Installs Node and ESLint the first time (20 s).
CONSOLE = Stage("console lint", (sys.executable, "-m", "local.tools.console_lint"))
# The long form: 20,000 fuzzed requests, 200 of schemathesis an operation and caller, and the attacks that other stages
# of the check contain.
ATTACKS: tuple[Round, ...] = (
    (
        Stage(
            "doors and fuzz",
            ("env", "FUZZ_REQUESTS=20000", "SCHEMATHESIS_EXAMPLES=200", *_PYTEST, "tests/security"),
            has_summary=True,
        ),
    ),
    (_tests("access matrix and keys", "e2e/test_access_matrix.py", "e2e/test_trust.py"),),
    (
        _tests(
            "trust between the parts", "contract/test_callers.py", "integration/libs/bus/test_permissions.py",
            "integration/libs/rpc/test_delegation.py", "integration/libs/rpc/test_tls.py",
            "unit/libs/test_production.py", "manifests/test_production_settings.py",
        ),
    ),
)  # fmt: skip
# The end-to-end tests that ask one operation after another; about half of the time of all.
_OF_OPERATIONS = tuple(
    f"e2e/test_{name}.py"
    for name in (
        "access_matrix", "accounts", "audit_log", "bad_input", "every_list", "every_status", "headers", "nasty_values",
        "quotas", "tags",
    )
)  # fmt: skip
# Integration tests that take about as long as those of the other services.
_OF_PARTS = tuple(f"integration/{name}" for name in ("libs", "gateway", "local", "services/agent", "services/billing"))
_BUT_PARTS = tuple(f"--ignore=tests/{path}" for path in _OF_PARTS)
_OTHERS = tuple(f"--ignore=tests/{path}" for path in _OF_OPERATIONS)
# Each stage of a round starts its own stores. Integration and e2e are two stages each because most of their time is
# waiting. Security and faults run alone: the first bounds one turn of an event loop, the second fills the machine.
TESTS: tuple[Round, ...] = (
    (_tests("contract"),),
    (_tests("unit"), _tests("manifests"), CLIENTS, CONSOLE, AUDIT),
    (
        _tests("integration of the parts", *_OF_PARTS),
        Stage("integration of services", (*_PYTEST, "tests/integration", *_BUT_PARTS), has_summary=True),
    ),
    SECURITY,
    (
        _tests("e2e of operations", *_OF_OPERATIONS),
        Stage("e2e of journeys", (*_PYTEST, "tests/e2e", *_OTHERS), has_summary=True),
        Stage("browser", (sys.executable, "-m", "tests.browser", "--short", "tests/browser"), has_summary=True),
    ),
    (_tests("faults"),),
)
NAMED: dict[str, Sequence[Round]] = {
    "lint": (LINT,),
    "types": (TYPES,),
    "test": TESTS,
    "security": ATTACKS,
    # mypy leaves a core to the contract tests.
    "check": ((*LINT, *TYPES, *TESTS[0]), *TESTS[1:]),
}


def run(rounds: Sequence[Round]) -> int:
    """0 when every stage passed."""
    started = time.monotonic()
    outcomes: list[Outcome] = []
    for stages in rounds:
        with ThreadPoolExecutor(len(stages)) as pool:
            outcomes += pool.map(_run_stage, stages)
        if any(outcome.failure for outcome in outcomes):
            break
    say(_table(rounds, outcomes))
    seconds = time.monotonic() - started
    if failed := [outcome.stage.name for outcome in outcomes if outcome.failure]:
        say(f"check: FAILED at {', '.join(failed)} after {seconds:.0f} s")
        return 1
    say(f"check: all {len(outcomes)} stages passed in {seconds:.0f} s")
    return 0


def _table(rounds: Sequence[Round], outcomes: Sequence[Outcome]) -> str:
    """A line for each stage; stages of one round share their number."""
    ended = {outcome.stage.name: outcome for outcome in outcomes}
    lines = [f"{'round':>5}  {'stage':<24} {'seconds':>8}  result"]
    for number, stages in enumerate(rounds, 1):
        for stage in stages:
            outcome = ended.get(stage.name)
            seconds = f"{outcome.seconds:.1f}" if outcome else "-"
            result = (outcome.failure or "ok") if outcome else "not run"
            lines.append(f"{number:>5}  {stage.name:<24} {seconds:>8}  {result}")
    return "\n".join(lines)


def _run_stage(stage: Stage) -> Outcome:
    started = time.monotonic()
    folder = tempfile.mkdtemp(prefix="echosenseix-check-")
    try:
        with (Path(folder) / "output").open("wb+") as output:  # a pipe would wait for a process that was left behind
            ended = subprocess.run(  # noqa: S603 our own tools
                stage.command, cwd=ROOT, env=_environment(folder), check=False,
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
            output.seek(0)
            said = output.read().decode(errors="replace").rstrip()
        failure = f"FAILED ({ended.returncode})" if ended.returncode else ""
        if left := _left_behind(folder):
            failure = f"FAILED, it left processes behind: {', '.join(left)}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    outcome = Outcome(stage, failure, time.monotonic() - started)
    if failure:
        say(said)
    last = f" ({said.splitlines()[-1]})" if stage.has_summary and said else ""
    say(f"· {stage.name}: {failure or 'ok'} in {outcome.seconds:.1f} s{last}")
    return outcome


def _left_behind(folder: str) -> list[str]:
    """Processes that still carry the stage's own TMPDIR, after a moment to end."""
    deadline = time.monotonic() + LEAVE_SECONDS
    while (left := _carrying(folder)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


def _carrying(folder: str) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"TMPDIR={folder}".encode() in (process / "environ").read_bytes().split(b"\0"):
                words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                found.append(f"{process.name} ({words[:80]})")
    return found


def _environment(folder: str) -> dict[str, str]:
    """The caller's, less what would point the tests at other stores; temporary files go where we throw them away."""
    taken_out = ("DATABASE_URL", "DATABASE_DIRECT_URL", "REDIS_URL", "NATS_URL", "SCALE", "LIMITS", "SERVICE")
    kept = {name: value for name, value in os.environ.items() if name not in taken_out}
    return kept | {"TMPDIR": folder, "PYTHONDONTWRITEBYTECODE": ""}
