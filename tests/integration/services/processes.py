"""A service as its own processes: started as `python -m services.<svc> <command>`, ready when it says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]


def run_command(service: str, command: str, environment: Mapping[str, str]) -> int:
    return subprocess.run(
        _arguments(service, command), env=_environment(environment), timeout=30, check=False
    ).returncode


@contextmanager
def running(service: str, command: str, environment: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """The addresses of the running process; at the end it must obey SIGTERM and exit with 0."""
    process = subprocess.Popen(
        _arguments(service, command),
        env=_environment(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        seen = []
        for line in process.stdout:
            seen.append(line)
            if '"ready"' in line:
                yield json.loads(line)["addresses"]
                break
        else:
            raise AssertionError("never ready:\n" + "".join(seen))
        process.terminate()
        rest, _ = process.communicate(timeout=15)
        assert process.returncode == 0, rest
    finally:
        process.kill()
        process.wait()


def _arguments(service: str, command: str) -> list[str]:
    return [sys.executable, "-m", f"services.{service}", command]


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    return {**kept, "PYTHONPATH": f"{ROOT}:{ROOT / 'protos'}", **settings}
