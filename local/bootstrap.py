"""Make `.venv` from the hash-pinned locks with nothing but Python's venv and pip; skipped while the lock is the same.

Runs on a bare Python 3.11+, so it imports only the standard library. `up` gets what the suite runs on; tests and checks
get the development tools too, whose lock contains all the others in the same versions.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from local.paths import ROOT

# Inside the clone: two checkouts never share packages, and removing the folder removes all.
ENVIRONMENT = ROOT / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"
# The knowledge service's lock contains those of all other services.
LOCKS = {"suite": ROOT / "requirements" / "knowledge.txt", "dev": ROOT / "requirements" / "dev.txt"}

NO_VENV = """This Python cannot make virtual environments: its venv module (ensurepip) is not installed.
On Debian and Ubuntu:  apt-get install python3-venv
Then run the command again."""


def inside() -> bool:
    return Path(sys.prefix).resolve() == ENVIRONMENT.resolve()


def ensure(group: str) -> str:
    """The path of an interpreter that has the group's packages in their locked versions."""
    with _alone():
        if not is_current(group):
            _make_environment()
            _install(group)
            _write_paths()
            # Last: an interrupted installation has no stamp and is done again.
            _stamp(group).write_text(_fingerprint(group), encoding="ascii")
    return str(PYTHON)


def is_current(group: str) -> bool:
    """The development environment contains the suite's, so either stamp serves `suite`."""
    groups = ("dev",) if group == "dev" else ("suite", "dev")
    return PYTHON.exists() and any(
        _stamp(name).exists() and _stamp(name).read_text(encoding="ascii") == _fingerprint(name) for name in groups
    )


def _stamp(group: str) -> Path:
    return ENVIRONMENT / f".installed-{group}"


def _fingerprint(group: str) -> str:
    """Of the lock, of this Python and of the folder: a new version, or a moved clone, installs again."""
    facts = f"{sys.version_info[:2]} {ROOT}".encode()
    return hashlib.sha256(LOCKS[group].read_bytes() + facts).hexdigest()


def _make_environment() -> None:
    if importlib.util.find_spec("ensurepip") is None:
        sys.exit(NO_VENV)
    if PYTHON.exists() and _works():
        return
    _say("making the environment .venv")
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    made = subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], check=False)  # noqa: S603
    if made.returncode != 0:
        sys.exit(NO_VENV)


def _works() -> bool:
    """An environment made by another Python, or in a folder since moved, is made anew."""
    question = "import sys; print(*sys.version_info[:2])"
    answer = subprocess.run([str(PYTHON), "-c", question], capture_output=True, text=True, check=False)  # noqa: S603
    # Debian's Python can make an environment without pip, which is of no use here.
    has_pip = subprocess.run([str(PYTHON), "-m", "pip", "--version"], capture_output=True, check=False)  # noqa: S603
    return answer.stdout.split() == [str(part) for part in sys.version_info[:2]] and has_pip.returncode == 0


def _install(group: str) -> None:
    _say(f"installing the locked packages ({LOCKS[group].name}); only the first time takes long")
    command = [
        str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes",
        # No package is built here: a compiler is not required, and no build script runs.
        "--only-binary", ":all:", "-r", str(LOCKS[group]),
    ]  # fmt: skip
    if subprocess.run(command, check=False).returncode != 0:  # noqa: S603
        sys.exit(
            "Installing the packages failed; pip's message is above. Wheels exist for Linux (glibc) and macOS. "
            "Correct the cause and run the command again. It continues where it stopped."
        )


def _write_paths() -> None:
    """Two import roots instead of an editable install, which would fetch its build backend unpinned."""
    folder = next(ENVIRONMENT.glob("lib/python3.*/site-packages"))
    (folder / "echosenseix.pth").write_text(f"{ROOT}\n{ROOT / 'protos'}\n", encoding="utf-8")


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Two commands at once on a fresh clone: the second waits for the first one's environment."""
    folder = ROOT / "var"
    folder.mkdir(mode=0o700, exist_ok=True)
    with (folder / "bootstrap.lock").open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _say(text: str) -> None:
    sys.stderr.write(f"· {text}\n")
    sys.stderr.flush()
