"""The first steps on a machine that lacks something: each is told in words that help."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from local import bootstrap

ROOT = Path(__file__).resolve().parents[3]
WITHOUT_ENSUREPIP = """
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "ensurepip" else found(name, package)
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The tree as a fresh clone has it: no environment, nothing installed."""
    for name in ("local", "requirements"):
        shutil.copytree(ROOT / name, tmp_path / "clone" / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "clone"


def bare_python(clone: Path, *arguments: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The interpreter that our environment was made from, without its packages."""
    python = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    environment = {"PATH": os.environ["PATH"], "HOME": str(clone), **({"PYTHONPATH": str(path)} if path else {})}
    return subprocess.run(
        [str(python), "-m", "local", *arguments],
        cwd=clone, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_python_without_venv_is_told_which_package_to_install(clone: Path, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(WITHOUT_ENSUREPIP)
    answer = bare_python(clone, "up", path=tmp_path / "site")
    assert answer.returncode == 1
    assert "apt-get install python3-venv" in answer.stderr
    assert not (clone / ".venv").exists()


@pytest.mark.parametrize("command", ["down", "status", "logs", "restart", "reset"])
def test_asking_before_anything_was_started_installs_nothing(clone: Path, command: str) -> None:
    answer = bare_python(clone, command)
    assert answer.returncode == 1
    assert "make up" in answer.stderr
    assert not (clone / ".venv").exists()


def test_the_bootstrap_and_its_door_import_the_standard_library_alone(clone: Path) -> None:
    for module in ("local.bootstrap", "local.__main__"):
        answer = subprocess.run(
            [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, '.'); import {module}"],
            cwd=clone, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert answer.returncode == 0, answer.stderr


def test_the_development_environment_serves_the_suite_too() -> None:
    assert bootstrap.is_current("dev")
    assert bootstrap.is_current("suite")


def test_every_locked_package_is_pinned_by_hash_and_no_lock_names_a_registry() -> None:
    for lock in bootstrap.LOCKS.values():
        lines = [line for line in lock.read_text().splitlines() if line and not line.startswith((" ", "#"))]
        assert all("==" in line and line.endswith("\\") for line in lines)
        assert "://" not in lock.read_text()
