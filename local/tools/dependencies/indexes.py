"""What the package indexes and the advisory services say, asked by their own clients: pip, pip-audit, npm.

A closed network is not an answer: pip-audit passes a package over that its service does not know, and says that no
vulnerability is known. So each service is asked first for something that is known to be bad.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.tools.dependencies.locks import PYTHON, Package
from local.tools.environments import NPM_INSTALL

# A release with a published vulnerability, and one that was withdrawn: a service that knows neither did not answer.
KNOWN_VULNERABLE = Package("pypi", "requests", "2.19.0")
KNOWN_YANKED = Package("pypi", "requests", "2.32.0")


class Unanswered(Exception):
    """A service did not say anything about what it was asked."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is known to be bad about a locked package."""

    package: Package
    id: str  # of the advisory, or "yanked"
    aliases: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()

    def __str__(self) -> str:
        also = f" ({', '.join(self.aliases)})" if self.aliases else ""
        return f"{self.package.pinned}: {self.id}{also}" + (f", fixed in {', '.join(self.fixed)}" * bool(self.fixed))


def reported(packages: Iterable[Package]) -> Iterator[dict[str, Any]]:
    """pip's entry for each: `metadata`, `is_yanked`. Installs nothing."""
    for batch in _without_doubles(packages):
        with tempfile.TemporaryDirectory() as folder:
            wanted = Path(folder) / "wanted.txt"
            wanted.write_text("\n".join(package.pinned for package in batch), encoding="utf-8")
            command = [
                sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "-qq", "--no-deps",
                "--disable-pip-version-check", "--only-binary", ":all:", "--python-version", PYTHON, "--target", folder,
                "--requirement", str(wanted), "--report", f"{folder}/report.json",
            ]  # fmt: skip
            done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
            if done.returncode != 0:
                raise Unanswered(_last_line(done.stderr) or "pip failed")
            yield from answered("pip", (Path(folder) / "report.json").read_text("utf-8"), "install")


def _without_doubles(packages: Iterable[Package]) -> list[list[Package]]:
    """Batches in which each name occurs once, as pip requires: two locks may hold two versions."""
    batches: list[dict[str, Package]] = []
    for package in packages:
        free = next((batch for batch in batches if package.name not in batch), None)
        if free is None:
            batches.append(free := {})
        free[package.name] = package
    return [list(batch.values()) for batch in batches]


def yanked(packages: Iterable[Package]) -> list[Finding]:
    """Releases that their authors withdrew."""
    if not all(entry.get("is_yanked") for entry in reported([KNOWN_YANKED])):
        raise Unanswered(f"the index does not say that {KNOWN_YANKED.pinned} was withdrawn")
    return [
        Finding(Package("pypi", entry["metadata"]["name"], entry["metadata"]["version"]), "yanked")
        for entry in reported(packages)
        if entry.get("is_yanked")
    ]


def vulnerable_python(packages: Iterable[Package]) -> list[Finding]:
    """What PyPI's advisory service knows, by pip-audit."""
    if not _audited([KNOWN_VULNERABLE]):
        raise Unanswered(f"it knows of no vulnerability in {KNOWN_VULNERABLE.pinned}")
    return [finding for batch in _without_doubles(packages) for finding in _audited(batch)]


def _audited(packages: Iterable[Package]) -> list[Finding]:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as wanted:
        wanted.write("\n".join(package.pinned for package in packages))
        wanted.flush()
        command = [
            sys.executable, "-m", "pip_audit", "--requirement", wanted.name, "--disable-pip", "--no-deps",
            "--format", "json", "--progress-spinner", "off",
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return findings(answered("pip-audit", done.stdout, "dependencies", _last_line(done.stderr)))


def findings(dependencies: Iterable[dict[str, Any]]) -> list[Finding]:
    """Of pip-audit's report. A package that it passed over was found by pip before: `yanked` asks for all of them."""
    return [
        Finding(Package("pypi", entry["name"], entry["version"]), bad["id"], tuple(bad["aliases"]),
                tuple(bad["fix_versions"]))
        for entry in dependencies
        for bad in entry.get("vulns", [])
    ]  # fmt: skip


def vulnerable_npm(packages: Iterable[Package]) -> list[Finding]:
    """What npm's advisory service knows of these and of what they would bring along."""
    with tempfile.TemporaryDirectory() as folder:
        # By alias, because two programs may use two versions of one package.
        wanted = {f"p{number}": f"npm:{package.pinned}" for number, package in enumerate(packages)}
        (Path(folder) / "package.json").write_text(json.dumps({"private": True, "dependencies": wanted}), "utf-8")
        lock = [part for part in NPM_INSTALL if part != "--no-package-lock"]
        try:
            subprocess.run([*lock, "--package-lock-only", "--legacy-peer-deps"], cwd=folder, check=True)  # noqa: S603
            done = subprocess.run(["npm", "audit", "--json"], cwd=folder, capture_output=True, check=False)  # noqa: S607
        except (OSError, subprocess.CalledProcessError) as error:
            raise Unanswered(str(error)) from error
    vulnerabilities = answered("npm audit", done.stdout.decode(errors="replace"), "vulnerabilities")
    return [
        Finding(Package("npm", advisory["name"], advisory["range"]), advisory["url"])
        for entry in vulnerabilities.values()
        for advisory in entry["via"]
        if isinstance(advisory, dict)
    ]


def answered(program: str, written: str, key: str, reason: str = "") -> Any:
    """What a program's JSON has under a key. Raises Unanswered, with the program's own reason where it gave one, for
    anything else that it wrote."""
    try:
        said = json.loads(written)
    except ValueError:
        said = None
    if not isinstance(said, dict) or key not in said:
        told = said.get("message") if isinstance(said, dict) else None
        raise Unanswered(str(told or reason or f"{program} answered nothing that can be read"))
    return said[key]


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2]
