"""Peers that run on Node: their programs and packages in a folder of their own below var/."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from local.paths import ROOT
from local.tools.environments import NPM_INSTALL


def installed(name: str, source: Path) -> Path:
    """The folder var/bench/<name> with the package.json and the programs of `source`, and what that file asks of npm.
    Ends with a sentence where there is no Node."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise SystemExit(f"bench-{name} runs its peers on Node: install node and npm first.")
    home = ROOT / "var" / "bench" / name
    home.mkdir(parents=True, exist_ok=True)
    for program in source.glob("*.mjs"):
        shutil.copy(program, home / program.name)
    wanted = (source / "package.json").read_text("utf-8")
    if not (home / "node_modules").exists() or (home / "package.json").read_text("utf-8") != wanted:
        (home / "package.json").write_text(wanted, encoding="utf-8")
        subprocess.run(NPM_INSTALL, cwd=home, check=True)
    return home
