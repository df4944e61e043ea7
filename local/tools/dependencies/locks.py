"""The locked packages of PyPI, and the pinned ones of npm that the console, the tools and the benches use.

A lock serves every platform and Python; here it is read for what the images are: CPython 3.11 on Linux.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from local.paths import ROOT
from local.tools import npm_packages

REQUIREMENTS = ROOT / "requirements"
VENDORED = ROOT / "gateway" / "console" / "vendored.json"
# The interpreter of the images (PYTHON_IMAGE of the Dockerfile), for the markers of the locks.
PYTHON = "3.11"
IMAGE_MARKERS = {
    "implementation_name": "cpython", "os_name": "posix", "platform_machine": "x86_64",
    "platform_python_implementation": "CPython", "platform_system": "Linux", "python_full_version": f"{PYTHON}.9",
    "python_version": PYTHON, "sys_platform": "linux",
}  # fmt: skip


@dataclass(frozen=True, slots=True, order=True)
class Package:
    """One package in one version. `hashes` are the SHA-256 of its files that the lock admits, in hex."""

    ecosystem: str  # "pypi" or "npm", as package URLs name them
    name: str
    version: str
    hashes: tuple[str, ...] = ()

    @property
    def pinned(self) -> str:
        return f"{self.name}{'==' if self.ecosystem == 'pypi' else '@'}{self.version}"

    @property
    def purl(self) -> PackageURL:
        """A scope of npm is the namespace of the URL."""
        namespace, _, name = self.name.rpartition("/")
        return PackageURL(self.ecosystem, namespace or None, name, self.version)


def locked(lock: Path) -> list[Package]:
    """The packages of a lock that an image installs, by name."""
    found = []
    for line in lock.read_text("utf-8").replace("\\\n", " ").splitlines():
        wanted, *hashes = line.split("--hash=sha256:")
        requirement = Requirement(wanted)
        if requirement.marker is None or requirement.marker.evaluate({**IMAGE_MARKERS, "extra": ""}):
            version = str(requirement.specifier).removeprefix("==")
            found.append(Package("pypi", canonicalize_name(requirement.name), version, tuple(map(str.strip, hashes))))
    return sorted(found)


def all_locked() -> list[Package]:
    """Each package of any lock once."""
    return sorted({package for lock in REQUIREMENTS.glob("*.txt") for package in locked(lock)})


def vendored() -> list[dict[str, Any]]:
    """The browser's files of others: `file`, `package` (name@version), `license` and `sha256` of each."""
    files: list[dict[str, Any]] = json.loads(VENDORED.read_bytes())
    return files


def shipped_npm() -> list[Package]:
    return _pinned(file["package"] for file in vendored())


def development_npm() -> list[Package]:
    """What benches, generated clients and the console's lint install; no image has any of it."""
    manifests = [json.loads(path.read_bytes()) for path in (ROOT / "bench").glob("**/package.json")]
    benches = (f"{name}@{version}" for manifest in manifests for name, version in manifest["dependencies"].items())
    return _pinned((*benches, *npm_packages.CLIENTS, *npm_packages.CONSOLE_LINT, *npm_packages.REALTIME_TESTS))


def _pinned(names: Iterable[str]) -> list[Package]:
    parts = (name.rpartition("@") for name in names)
    return sorted({Package("npm", name, version) for name, _, version in parts})
