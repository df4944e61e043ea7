"""`make audit`: withdrawn releases and known vulnerabilities among everything that is locked or pinned.

Every source ends as a line: what it checked, or that it checked nothing and why. A finding fails the audit unless
requirements/accepted.toml explains it, with a day until which the explanation holds.
"""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.terminal import say
from local.tools.dependencies import advisories, indexes
from local.tools.dependencies.indexes import Finding, Unanswered
from local.tools.dependencies.locks import REQUIREMENTS, all_locked, development_npm, shipped_npm

ACCEPTED = REQUIREMENTS / "accepted.toml"


# What was checked, in words, and what is known to be bad.
Answer = tuple[str, list[Finding]]


@dataclass(slots=True)
class Audit:
    """What the sources said."""

    findings: list[Finding] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)

    def ask(self, source: str, question: Callable[[], Answer]) -> None:
        try:
            extent, findings = question()
        except Unanswered as reason:
            self.unchecked.append(source)
            say(f"NOT CHECKED by {source}: {reason}")
        else:
            self.findings += findings
            self.checked.append(source)
            say(f"checked by {source}: {extent}")

    def summary(self, day: datetime.date) -> str:
        """The last line, which `make check` shows."""
        unchecked = f"; NOT CHECKED by {', '.join(self.unchecked)}" if self.unchecked else ""
        return f"audit of {day}: checked by {', '.join(self.checked) or 'nothing'}{unchecked}"


def main(folder: str, *, network_may_be_closed: bool) -> int:
    """0: every vulnerability is explained; 1: one is not; 2: a source did not answer, where that is not allowed."""
    python, npm = all_locked(), sorted({*shipped_npm(), *development_npm()})
    audit = Audit()
    audit.ask("the index", lambda: (f"{len(python)} locked packages, for withdrawn releases", indexes.yanked(python)))
    if folder:
        audit.ask("files of advisories", lambda: advisories.known(Path(folder), python))
    else:
        audit.ask("PyPI's advisories", lambda: (f"{len(python)} locked packages", indexes.vulnerable_python(python)))
    audit.ask("npm's advisories", lambda: (f"{len(npm)} pinned packages", indexes.vulnerable_npm(npm)))
    today = datetime.datetime.now(datetime.UTC).date()
    wrong = judged(audit.findings, tomllib.loads(ACCEPTED.read_text("utf-8")).get("accepted", []), today)
    for sentence in wrong:
        say(f"FOUND {sentence}")
    say(audit.summary(today))
    if wrong:
        return 1
    return 2 if audit.unchecked and not network_may_be_closed else 0


def judged(findings: Iterable[Finding], accepted: Iterable[Mapping[str, Any]], today: datetime.date) -> list[str]:
    """A sentence for each finding without a valid explanation, and for each explanation that ended."""
    valid = {(entry["package"], entry["id"]) for entry in accepted if entry["until"] >= today}
    ended = [
        f"{ACCEPTED.name}: {entry['id']} of {entry['package']} was explained until {entry['until']}"
        for entry in accepted
        if entry["until"] < today
    ]
    unexplained = [
        str(finding)
        for finding in findings
        if not valid & {(finding.package.name, name) for name in (finding.id, *finding.aliases)}
    ]
    return ended + unexplained
