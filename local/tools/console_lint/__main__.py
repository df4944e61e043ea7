"""`python -m local.tools.console_lint`: ESLint and TypeScript's checker over the console's modules.

They find what a browser shows only on the page that has the mistake: names that nothing declares, unused ones, hooks
that are called by condition, calls and members that do not fit their types (from JSDoc, or as they follow from the
code). Node comes as a wheel and the tools from npm, in an environment of their own (var/console-lint, 0.2 GB).
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
CONFIGURATION = ("eslint.config.mjs", "tsconfig.json", "vendored.d.ts")


def installed() -> Path:
    """The folder with Node and the tools; installs what is missing."""
    folder = ensure_tools("console-lint", (NODE_WHEEL,))
    ensure_npm_packages(folder, npm_packages.CONSOLE_LINT)
    return folder


def lint(modules: Path) -> int:
    """0 when neither tool finds anything in the modules below a folder, else 1; each has said what it found."""
    folder = installed()
    # Both look for files and packages below the folder of their configuration. What others wrote is not judged.
    shutil.rmtree(folder / "static", ignore_errors=True)
    shutil.copytree(modules, folder / "static", ignore=shutil.ignore_patterns("vendor"))
    for name in CONFIGURATION:
        shutil.copy(Path(__file__).with_name(name), folder)
    programs = folder / "node_modules" / ".bin"
    commands = ((programs / "eslint", "--max-warnings", "0", "static"), (programs / "tsc", "--project", "."))
    statuses = [
        subprocess.run(command, cwd=folder, env=tool_environment(folder), check=False).returncode  # noqa: S603
        for command in commands
    ]
    # A tool that a signal ended has a negative status.
    return int(any(statuses))


if __name__ == "__main__":
    sys.exit(lint(MODULES))
