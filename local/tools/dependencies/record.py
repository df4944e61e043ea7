"""requirements/packages.json: license and requirements of every locked package, as `make lock` found them.

The file makes bills of materials reproducible without an index, and a license that changes with a version is a line in
the review.
"""

from __future__ import annotations

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from local.tools.dependencies.indexes import reported
from local.tools.dependencies.licenses import of_metadata, policy
from local.tools.dependencies.locks import (
    IMAGE_MARKERS,
    REQUIREMENTS,
    Package,
    all_locked,
    development_npm,
    shipped_npm,
)

RECORD = REQUIREMENTS / "packages.json"


def recorded() -> dict[str, Any]:
    """Package URL -> {license, requires} of PyPI's, {license, integrity} of npm's."""
    facts: dict[str, Any] = json.loads(RECORD.read_bytes())
    return facts


def write() -> None:
    """Asks the indexes by their own clients. A package whose license cannot be read ends the command."""
    npm = sorted({*shipped_npm(), *development_npm()})
    with ThreadPoolExecutor(4) as pool:  # a start of npm takes 2 s, most of it waiting
        of_npm = {str(package.purl): facts for package, facts in zip(npm, pool.map(_of_npm, npm), strict=True)}
    facts = _of_pypi() | of_npm
    RECORD.write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _of_pypi() -> dict[str, Any]:
    stated = policy()["stated"]
    facts, unknown = {}, []
    for entry in reported(all_locked()):
        metadata = entry["metadata"]
        name = canonicalize_name(metadata["name"])
        license_ = stated[name]["license"] if name in stated else of_metadata(metadata)
        if license_ is None:
            unknown.append(f"{name}: {metadata.get('license', '')[:60]!r}, {metadata.get('classifier', [])}")
        facts[str(Package("pypi", name, metadata["version"]).purl)] = {
            "license": license_, "requires": _requires(metadata.get("requires_dist", [])),
        }  # fmt: skip
    if unknown:
        raise SystemExit("requirements/licenses.toml must state the licenses of:\n" + "\n".join(unknown))
    return facts


def _requires(stated: list[str]) -> list[str]:
    """Names of what an image would install with the package: no extras, and the markers of the image."""
    wanted = map(Requirement, stated)
    return sorted(
        {
            canonicalize_name(requirement.name)
            for requirement in wanted
            if requirement.marker is None or requirement.marker.evaluate({**IMAGE_MARKERS, "extra": ""})
        }
    )


def _of_npm(package: Package) -> dict[str, Any]:
    command = ["npm", "view", package.pinned, "license", "dist.integrity", "--json"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603
    facts = json.loads(said)
    return {"license": facts["license"], "integrity": facts["dist.integrity"]}
