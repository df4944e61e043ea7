"""`make lock`: resolve the dependency groups of pyproject.toml into hash-pinned requirements/*.txt.

Exported without index addresses; the smaller groups follow the versions of the largest, so that all agree.
`--upgrade` looks for newer versions; without it what is locked stays. Licenses and requirements of what is locked are
recorded in requirements/packages.json (needs npm, for the packages of the console and the benches).
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from local.paths import ROOT
from local.tools.dependencies import record

GROUPS = {
    "dev": ("dev",),
    "service": ("service",),
    "service-knowledge": ("service", "knowledge"),
    "service-knowledge-multilingual": ("service", "knowledge", "multilingual"),
    "suite": ("suite",),
    "knowledge": ("suite", "knowledge"),
    "service-knowledge-ocr": ("service", "knowledge", "ocr"),
    "service-knowledge-multilingual-ocr": ("service", "knowledge", "multilingual", "ocr"),
    "transcription": ("suite", "transcription"),
    "ocr": ("suite", "knowledge", "ocr"),
}


def command(name: str, more: list[str]) -> list[str]:
    """`--universal` writes backports that only older patch releases of Python need."""
    groups = [part for group in GROUPS[name] for part in ("--group", group)]
    follow = [] if name == "dev" else ["--constraint", "requirements/dev.txt"]
    return [
        str(Path(sys.prefix) / "bin" / "uv"), "pip", "compile", "pyproject.toml", "--universal",
        "--python-version", "3.11",
        "--generate-hashes", "--no-header", "--no-annotate", "--quiet", *groups, *follow, *more,
        "--output-file", f"requirements/{name}.txt",
    ]  # fmt: skip


def main() -> None:
    for name in GROUPS:
        if subprocess.run(command(name, sys.argv[1:]), cwd=ROOT, check=False).returncode != 0:  # noqa: S603
            sys.exit(f"requirements/{name}.txt could not be resolved; uv's message is above.")
    record.write()


if __name__ == "__main__":
    main()
