"""`make test-transcription`, `make test-ocr`: try an optional dependency group in an environment of its own.

The packages come from requirements/<group>.txt, the test runner from requirements/dev.txt. Nothing is fetched while the
tests run: HF_HUB_OFFLINE forbids the library of the speech model to look for models on the network.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv

from local.paths import ROOT

RUNNER = ("pytest", "pytest-asyncio", "pluggy", "iniconfig", "packaging", "pygments", "hypothesis", "sortedcontainers")
TESTS = {
    "transcription": "tests/integration/services/calllog/local_model.py",
    "ocr": "tests/unit/services/knowledge/extract/scans.py",
}


def main(group: str, *arguments: str) -> None:
    environment = ROOT / "var" / group
    python = str(environment / "bin" / "python")
    if not (environment / "bin" / "python").exists():
        venv.create(environment, with_pip=True)
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    _run([*install, "--require-hashes", "-r", f"requirements/{group}.txt"])
    _run([*install, *_pinned()])
    paths = {"PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "protos"))), "HF_HUB_OFFLINE": "1"}
    _run([python, "-m", "pytest", "-q", TESTS[group], *arguments], paths)


def _pinned() -> list[str]:
    """The test runner in its locked versions."""
    lines = (ROOT / "requirements" / "dev.txt").read_text("utf-8").splitlines()
    return [line.partition(" ")[0] for line in lines if line.partition("==")[0] in RUNNER]


def _run(command: list[str], environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **(environment or {})}, check=False)  # noqa: S603
    if done.returncode != 0:
        sys.exit(done.returncode)


if __name__ == "__main__":
    main(*sys.argv[1:])
