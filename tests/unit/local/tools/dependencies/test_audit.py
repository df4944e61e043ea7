"""The audit tells known vulnerabilities, explained ones, explanations that ended, and sources that did not answer."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version
from pip_audit._format import JsonFormat
from pip_audit._service import ResolvedDependency, VulnerabilityResult

from local.tools.dependencies import advisories, indexes
from local.tools.dependencies.audit import Audit, judged
from local.tools.dependencies.indexes import Finding, Unanswered
from local.tools.dependencies.licenses import of_metadata
from local.tools.dependencies.locks import Package

PACKAGE = Package("pypi", "example", "1.4")
TODAY = datetime.date(2026, 6, 1)
FINDING = Finding(PACKAGE, "PYSEC-2026-1", ("CVE-2026-1",), ("1.5",))


def accepted(until: datetime.date, name: str = "PYSEC-2026-1") -> dict[str, Any]:
    return {"package": "example", "id": name, "reason": "the function is not called", "until": until}


def test_a_finding_without_an_explanation_is_told() -> None:
    assert judged([FINDING], [], TODAY) == ["example==1.4: PYSEC-2026-1 (CVE-2026-1), fixed in 1.5"]


@pytest.mark.parametrize("name", ["PYSEC-2026-1", "CVE-2026-1"])
def test_an_explanation_holds_until_its_day_under_any_name_of_the_advisory(name: str) -> None:
    assert judged([FINDING], [accepted(TODAY, name)], TODAY) == []


def test_an_explanation_that_ended_fails_with_or_without_the_finding() -> None:
    ended = accepted(TODAY - datetime.timedelta(days=1))
    assert len(judged([FINDING], [ended], TODAY)) == 2
    assert judged([], [ended], TODAY) == ["accepted.toml: PYSEC-2026-1 of example was explained until 2026-05-31"]


def test_an_explanation_of_another_package_explains_nothing() -> None:
    assert judged([FINDING], [accepted(TODAY) | {"package": "other"}], TODAY) != []


def test_a_source_that_does_not_answer_is_named_and_is_not_counted_as_checked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def silent() -> tuple[str, list[Finding]]:
        raise Unanswered("it knows of no vulnerability in requests==2.19.0")

    audit = Audit()
    audit.ask("PyPI's advisories", silent)
    audit.ask("the index", lambda: ("3 packages", []))
    assert audit.summary(TODAY) == "audit of 2026-06-01: checked by the index; NOT CHECKED by PyPI's advisories"
    assert "NOT CHECKED by PyPI's advisories: it knows of no vulnerability" in capsys.readouterr().out


def test_what_pip_audit_writes_is_read() -> None:
    vulnerability = VulnerabilityResult.create(
        ids=["PYSEC-2026-1", "CVE-2026-1"], description="", fix_versions=[Version("1.5")], published=None
    )
    result = {ResolvedDependency("example", Version("1.4")): [vulnerability]}
    written = json.loads(JsonFormat(output_desc=True, output_aliases=True).format(result, []))
    assert indexes.findings(written["dependencies"]) == [FINDING]


@pytest.mark.parametrize("written", ["", "{", "[]", "null", "{}", "<html>Forbidden</html>"])
def test_what_a_program_writes_beside_its_report_is_no_answer(written: str) -> None:
    with pytest.raises(indexes.Unanswered, match="pip-audit answered nothing that can be read"):
        indexes.answered("pip-audit", written, "dependencies")
    with pytest.raises(indexes.Unanswered, match="closed"):
        indexes.answered("pip-audit", written, "dependencies", "the network is closed")


def test_a_program_that_says_why_it_has_no_report_is_quoted() -> None:
    with pytest.raises(indexes.Unanswered, match="ENOAUDIT"):
        indexes.answered("npm audit", '{"message": "ENOAUDIT"}', "vulnerabilities")


@pytest.mark.parametrize(
    ("version", "is_affected"),
    [("0.9", False), ("1.0", True), ("1.4", True), ("1.5", False), ("2.0", True), ("2.3", True), ("2.4", False)],
)
def test_a_version_is_affected_from_what_introduced_to_what_fixed(version: str, is_affected: bool) -> None:
    events = [{"fixed": "1.5"}, {"introduced": "1.0"}, {"introduced": "2.0"}, {"last_affected": "2.3"}]
    assert advisories.is_within(version, [{"type": "ECOSYSTEM", "events": events}]) is is_affected


def test_files_of_advisories_are_compared_by_listed_versions_and_by_ranges(tmp_path: Path) -> None:
    def advisory(name: str, affected: dict[str, Any], **more: Any) -> None:
        entry = {"package": {"ecosystem": "PyPI", "name": "Example"}, **affected}
        written = {"id": name, "modified": "2026-05-01T00:00:00Z", "affected": [entry], **more}
        (tmp_path / f"{name}.json").write_text(json.dumps(written), "utf-8")

    open_end = {"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]}
    advisory("listed", {"versions": ["1.4"]})
    advisory("ranged", open_end)
    advisory("other-version", {"versions": ["1.3"]})
    advisory("withdrawn", open_end, withdrawn="2026-05-02T00:00:00Z")
    extent, findings = advisories.known(tmp_path, [PACKAGE])
    assert [finding.id for finding in findings] == ["listed", "ranged"]
    assert extent == "1 packages, 3 advisories, the newest of 2026-05-01"


@pytest.mark.parametrize("name", ["a.json", "a.yaml"])
def test_a_file_that_cannot_be_read_is_no_answer(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"{\xff: [")
    with pytest.raises(indexes.Unanswered, match=name):
        advisories.known(tmp_path, [])


def test_a_folder_without_advisories_is_no_answer(tmp_path: Path) -> None:
    with pytest.raises(Unanswered):
        advisories.known(tmp_path, [PACKAGE])


@pytest.mark.parametrize(
    ("metadata", "license_"),
    [
        ({"license_expression": "MIT OR Apache-2.0"}, "MIT OR Apache-2.0"),
        ({"license": "Apache 2.0", "classifier": ["License :: OSI Approved :: Apache Software License"]}, "Apache-2.0"),
        ({"license": "UNKNOWN", "classifier": ["License :: OSI Approved :: ISC License (ISCL)"]}, "ISC"),
        ({"classifier": ["License :: OSI Approved :: BSD License"]}, None),
        ({}, None),
    ],
)
def test_a_license_is_read_from_metadata_or_left_open(metadata: dict[str, Any], license_: str | None) -> None:
    assert of_metadata(metadata) == license_
