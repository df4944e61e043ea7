"""Advisories from files in the OSV format, for an audit where no service can be reached.

The folder is a copy of an advisory database: one YAML or JSON file an advisory (`vulns/**/*.yaml` of
pypa/advisory-database, or the unpacked export of osv.dev). Format: https://ossf.github.io/osv-schema/
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from local.tools.dependencies.indexes import Finding, Unanswered
from local.tools.dependencies.locks import Package


def known(folder: Path, packages: Iterable[Package]) -> tuple[str, list[Finding]]:
    """How much was compared and how new the newest advisory is; and what concerns the packages of PyPI."""
    wanted: dict[str, list[Package]] = {}
    for package in packages:
        wanted.setdefault(package.name, []).append(package)
    newest, findings, count = "", [], 0
    for path in sorted((*folder.rglob("*.yaml"), *folder.rglob("*.json"))):
        advisory = _read(path)
        if "affected" not in advisory or advisory.get("withdrawn"):
            continue
        count, newest = count + 1, max(newest, str(advisory.get("modified", "")))
        findings += _concerning(advisory, wanted)
    if count == 0:
        raise Unanswered(f"{folder} holds no advisory in the OSV format")
    return f"{len(wanted)} packages, {count} advisories, the newest of {newest[:10]}", findings


def _read(path: Path) -> Mapping[str, Any]:
    text = path.read_text("utf-8", errors="replace")
    try:
        read = json.loads(text) if path.suffix == ".json" else yaml.load(text, yaml.CSafeLoader)
    except (ValueError, yaml.YAMLError) as error:
        raise Unanswered(f"{path} cannot be read") from error
    return read if isinstance(read, dict) else {}


def _concerning(advisory: Mapping[str, Any], wanted: Mapping[str, list[Package]]) -> list[Finding]:
    return [
        Finding(package, advisory["id"], tuple(advisory.get("aliases", ())), tuple(_fixes(affected)))
        for affected in advisory["affected"]
        if affected.get("package", {}).get("ecosystem") == "PyPI"
        for package in wanted.get(canonicalize_name(affected["package"]["name"]), ())
        if package.version in affected.get("versions", ()) or is_within(package.version, affected.get("ranges", ()))
    ]


def _fixes(affected: Mapping[str, Any]) -> list[str]:
    return [event["fixed"] for part in affected.get("ranges", ()) for event in part["events"] if "fixed" in event]


def is_within(version: str, ranges: Iterable[Mapping[str, Any]]) -> bool:
    """The algorithm of the OSV schema: the last event at or before the version decides."""
    return any(_is_affected(Version(version), part["events"]) for part in ranges if part["type"] == "ECOSYSTEM")


def _is_affected(version: Version, events: Iterable[Mapping[str, str]]) -> bool:
    affected = False
    for event in sorted(events, key=_position):
        at = _position(event)
        if "introduced" in event and at <= version:
            affected = True
        elif ("fixed" in event and at <= version) or ("last_affected" in event and at < version):
            affected = False
    return affected


def _position(event: Mapping[str, str]) -> Version:
    """Versions that Python cannot order stand at the beginning: what they begin is reported rather than missed."""
    try:
        return Version(next(iter(event.values())))
    except InvalidVersion:
        return Version("0")
