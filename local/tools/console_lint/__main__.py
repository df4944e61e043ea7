"""`python -m local.tools.console_lint`: ESLint over the console's modules.

It finds what a browser shows only on the page that has the mistake: names that nothing declares, unused ones, hooks
that are called by condition. Node comes as a wheel and ESLint from npm, in an environment of their own
(var/console-lint, 0.2 GB).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from local.paths import ROOT
from local.tools import npm_packages
from local.tools.environments import NODE_WHEEL, ensure_npm_packages, ensure_tools, tool_environment

MODULES = ROOT / "gateway" / "console" / "static"
CONFIGURATION = Path(__file__).with_name("eslint.config.mjs")


def installed() -> Path:
    """The folder with Node and ESLint; installs what is missing."""
    folder = ensure_tools("console-lint", (NODE_WHEEL,))
    ensure_npm_packages(folder, npm_packages.CONSOLE_LINT)
    return folder


def lint(modules: Path) -> int:
    """ESLint's status for all modules below a folder: 0 without a finding."""
    folder = installed()
    # ESLint looks for files and plugins below the folder of its configuration.
    shutil.rmtree(folder / "static", ignore_errors=True)
    shutil.copytree(modules, folder / "static")
    shutil.copy(CONFIGURATION, folder)
    command = [str(folder / "node_modules" / ".bin" / "eslint"), "--max-warnings", "0", "static"]
    return subprocess.run(command, cwd=folder, env=tool_environment(folder), check=False).returncode  # noqa: S603


if __name__ == "__main__":
    sys.exit(lint(MODULES))
