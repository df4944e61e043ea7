"""Rules and dashboards ask for metrics that exist; alerts name run books that exist and fire on their trouble."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from libs.telemetry import metrics
from tests.manifests.conftest import ROOT

FOLDER = ROOT / "k8s" / "components" / "monitoring"
ALERTS = Path(__file__).with_name("alerts.test.yaml")
# What Prometheus itself and the process collector add.
FROM_ELSEWHERE = {"up", "ALERTS", "process_resident_memory_bytes", "process_cpu_seconds_total"}
WORDS = {
    "sum", "rate", "by", "le", "histogram_quantile", "and", "max", "topk", "predict_linear", "increase",
    "service", "role", "pod", "queue", "method", "route", "status", "state", "transport", "level", "cache", "code",
    "consumer", "outcome", "kid", "setting", "time",
}  # fmt: skip


def groups() -> list[dict[str, Any]]:
    document = yaml.safe_load((FOLDER / "rules.yaml").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = document["spec"]["groups"]
    return found


def rules() -> Iterator[dict[str, Any]]:
    return (rule for group in groups() for rule in group["rules"])


def dashboards() -> list[dict[str, Any]]:
    return [json.loads(file.read_text(encoding="utf-8")) for file in sorted((FOLDER / "dashboards").glob("*.json"))]


def known_names() -> set[str]:
    names = set(FROM_ELSEWHERE)
    for family in metrics.REGISTRY.collect():
        base = family.name
        if family.type == "histogram":
            names |= {f"{base}_bucket", f"{base}_count", f"{base}_sum"}
        else:
            names.add(f"{base}_total" if family.type == "counter" else base)
    return names | {rule["record"] for rule in rules() if "record" in rule}


def asked(expression: str) -> set[str]:
    without_labels = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\"[^\"]*\"", "", expression)
    return set(re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*", without_labels)) - WORDS


def test_every_rule_asks_for_metrics_that_exist() -> None:
    known = known_names()
    for rule in rules():
        assert asked(rule["expr"]) <= known, rule


def test_every_panel_asks_for_metrics_that_exist_and_has_a_title_and_a_unit() -> None:
    known = known_names()
    boards = dashboards()
    assert {board["uid"] for board in boards} == {"echosenseix-suite", "echosenseix-work"}
    for board in boards:
        for panel in board["panels"]:
            assert panel["title"]
            assert panel["fieldConfig"]["defaults"]["unit"]
            for target in panel["targets"]:
                assert asked(target["expr"]) <= known, (panel["title"], target["expr"])
        assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_the_papers_nine_metrics_are_on_the_first_dashboard() -> None:
    [suite] = [board for board in dashboards() if board["uid"] == "echosenseix-suite"]
    titles = [panel["title"] for panel in suite["panels"][:9]]
    words = ("Request", "Response", "Error", "Database", "Cache", "Job", "Sockets", "Memory", "CPU")
    assert [title.split()[0] for title in titles] == list(words)


def test_every_alert_says_what_is_wrong_how_bad_it_is_and_which_run_book_helps() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.*)$", text, re.M)
    }
    alerts = [rule for rule in rules() if "alert" in rule]
    assert len(alerts) == len({rule["alert"] for rule in alerts})
    for rule in alerts:
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"]
        page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert page == "docs/operations.md"
        assert anchor in anchors, (rule["alert"], anchor)


def test_every_alert_is_tried_by_the_tests_for_promtool() -> None:
    text = ALERTS.read_text(encoding="utf-8")
    missing = [rule["alert"] for rule in rules() if "alert" in rule and rule["alert"] not in text]
    assert missing == []
