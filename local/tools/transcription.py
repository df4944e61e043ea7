"""`make test-transcription`: try the optional speech model in an environment of its own, var/transcription.

The packages come from requirements/transcription.txt, the test runner from requirements/dev.txt. Nothing is fetched
while the tests run: HF_HUB_OFFLINE forbids the model's library to look for models on the network.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

from local.paths import ROOT

ENVIRONMENT = ROOT / "var" / "transcription"
RUNNER = ("pytest", "pytest-asyncio", "pluggy", "iniconfig", "packaging", "pygments")
TESTS = "tests/integration/services/calllog/local_model.py"


def main() -> None:
    python = str(ENVIRONMENT / "bin" / "python")
    if not Path(python).exists():
        venv.create(ENVIRONMENT, with_pip=True)
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    _run([*install, "--require-hashes", "-r", "requirements/transcription.txt"])
    _run([*install, *_pinned()])
    paths = {"PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "protos"))), "HF_HUB_OFFLINE": "1"}
    _run([python, "-m", "pytest", "-q", TESTS, *sys.argv[1:]], paths)


def _pinned() -> list[str]:
    """The test runner in its locked versions."""
    lines = (ROOT / "requirements" / "dev.txt").read_text("utf-8").splitlines()
    return [line.partition(" ")[0] for line in lines if line.partition("==")[0] in RUNNER]


def _run(command: list[str], environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **(environment or {})}, check=False)  # noqa: S603
    if done.returncode != 0:
        sys.exit(done.returncode)


if __name__ == "__main__":
    main()
