"""`make sbom`: a CycloneDX bill of materials for each image and for each environment, from the locks.

A component has its package URL, its license, the SHA-256 of each file that the lock admits, and what it requires. The
same locks give the same bytes: a bill has no time in it, and its serial number is made of its content.
"""

from __future__ import annotations

import base64
import tomllib
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from local.paths import ROOT
from local.terminal import say
from local.tools.dependencies.locks import REQUIREMENTS, Package, development_npm, locked, shipped_npm, vendored
from local.tools.dependencies.record import recorded
from suite.services import KNOWLEDGE, SERVICES

FOLDER = ROOT / "var" / "sbom"
# The namespace of serial numbers; any constant would do.
_NAMESPACE = uuid.UUID("6f1f3a5e-3b0e-4c0a-9d5e-7a5b3f0c2d11")


@dataclass(frozen=True, slots=True)
class Subject:
    """What a bill is of, and the lock that it is made of."""

    name: str
    lock: str
    type: ComponentType = ComponentType.CONTAINER
    npm: tuple[Package, ...] = ()


def image_locks() -> dict[str, str]:
    """Image -> its lock, as the Tiltfile builds it."""
    services = {
        service.deployable: "service-knowledge" if service is KNOWLEDGE else "service" for service in SERVICES.values()
    }
    return {**services, "gateway": "service", "tools": "service"}


def subjects() -> list[Subject]:
    images = [
        Subject(image, lock, npm=tuple(shipped_npm()) if image == "gateway" else ())
        for image, lock in image_locks().items()
    ]
    return [
        *images,
        Subject("knowledge-multilingual", "service-knowledge-multilingual"),
        Subject("knowledge-ocr", "service-knowledge-ocr"),
        Subject("knowledge-multilingual-ocr", "service-knowledge-multilingual-ocr"),
        Subject("local-suite", "knowledge", ComponentType.APPLICATION, tuple(shipped_npm())),
        Subject("transcription", "transcription", ComponentType.APPLICATION),
        Subject("ocr", "ocr", ComponentType.APPLICATION),
        Subject("development", "dev", ComponentType.APPLICATION, tuple(sorted({*shipped_npm(), *development_npm()}))),
    ]


def bill(subject: Subject) -> str:
    """The bill as JSON. `check` says whether it is valid."""
    facts = recorded()
    python = locked(REQUIREMENTS / f"{subject.lock}.txt")
    components = [_component(package, facts[str(package.purl)]) for package in (*python, *subject.npm)]
    by_name = {component.name: component for component in components[: len(python)]}
    bom = Bom(components=components)
    bom.metadata.timestamp = None  # type: ignore[assignment]  # optional in the format, and different each time
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    root = Component(name=f"echosenseix-{subject.name}", version=version, type=subject.type, bom_ref=subject.name)
    bom.metadata.component = root
    bom.register_dependency(root, components)
    for package in python:
        required = facts[str(package.purl)]["requires"]
        bom.register_dependency(by_name[package.name], [by_name[name] for name in required if name in by_name])
    content = "\n".join(f"{component.purl} {component.bom_ref.value}" for component in components)
    bom.serial_number = uuid.uuid5(_NAMESPACE, f"{subject.name}\n{version}\n{content}")
    return JsonV1Dot6(bom).output_as_string(indent=1)


def check(name: str, text: str) -> None:
    """Raises ValueError when a bill breaks the strict schema of CycloneDX 1.6. Takes seconds."""
    if (error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)) is not None:
        raise ValueError(f"the bill of {name} is not valid CycloneDX: {error}")


def _component(package: Package, facts: dict[str, Any]) -> Component:
    return Component(
        name=package.name, version=package.version, purl=package.purl, bom_ref=str(package.purl),
        type=ComponentType.LIBRARY, licenses=[LicenseExpression(facts["license"])],
        components=_files(package) if package.ecosystem == "npm" else (),
        external_references=[
            ExternalReference(
                type=ExternalReferenceType.DISTRIBUTION, url=XsUri(str(package.purl)),
                hashes=_hashes(package, facts),
            )
        ],
    )  # fmt: skip


def _hashes(package: Package, facts: dict[str, Any]) -> Iterable[HashType]:
    if package.ecosystem == "pypi":
        return [HashType(alg=HashAlgorithm.SHA_256, content=digest) for digest in package.hashes]
    digest = base64.b64decode(facts["integrity"].removeprefix("sha512-")).hex()
    return [HashType(alg=HashAlgorithm.SHA_512, content=digest)]


def _files(package: Package) -> list[Component]:
    """The files of the package that the console serves."""
    return [
        Component(
            name=f"gateway/console/static/vendor/{file['file']}", type=ComponentType.FILE,
            bom_ref=f"{package.purl}#{file['path']}", licenses=[LicenseExpression(file["license"])],
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=file["sha256"])],
        )
        for file in vendored()
        if file["package"] == package.pinned
    ]  # fmt: skip


def write(folder: Path = FOLDER) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    for subject in subjects():
        text = bill(subject)
        check(subject.name, text)
        path = folder / f"{subject.name}.cdx.json"
        path.write_text(text, encoding="utf-8")
        say(str(path))
    return 0
