"""What the services' workers run: every declared kind of job, the architecture's job types and their schedules."""

from __future__ import annotations

import dataclasses
import importlib
import itertools
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cronsim import CronSim

from libs.jobs import Handlers, JobKind
from services.agent.jobs import job_handlers as agent
from services.billing.jobs import job_handlers as billing
from services.calllog.config import CallLogSettings
from services.calllog.jobs import job_handlers as calllog
from services.identity.jobs import job_handlers as identity
from services.knowledge.jobs import KnowledgeJobs, SourceJobs
from services.knowledge.jobs import job_handlers as knowledge
from services.realtime.config import RealtimeSettings
from services.realtime.jobs import job_handlers as realtime

ROOT = Path(__file__).resolve().parents[2]


def defaults(settings: Any) -> Any:
    return SimpleNamespace(**{field.name: field.default for field in dataclasses.fields(settings)})


def _handlers() -> dict[str, Handlers]:
    """Of every service; asking for their kinds does not touch what the handlers work with."""
    none: Any = None
    runs: Any = SimpleNamespace(run=none, watch=none, expire=none)
    return {
        "agent": agent(none, none, none, none, none),
        "billing": billing(runs, none),
        "calllog": calllog(runs, runs, runs, runs, runs, runs, defaults(CallLogSettings).reconcile_cron),
        "identity": identity(none, none, none, none, none, none, none, none),
        "knowledge": knowledge(
            KnowledgeJobs(none, none, none, none, none, none, none, "", none, 0), SourceJobs(none, none, none, none)
        ),
        "realtime": realtime(defaults(RealtimeSettings), none, none),
    }


def _declared() -> dict[str, set[JobKind]]:
    """Every kind that a module of services/ holds, by service."""
    kinds = defaultdict(set)
    for path in (ROOT / "services").rglob("*.py"):
        if "JobKind(" in path.read_text("utf-8"):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            for kind in vars(importlib.import_module(name)).values():
                if isinstance(kind, JobKind):
                    kinds[kind.service].add(kind)
    return dict(kinds)


def test_every_kind_of_job_that_is_declared_has_a_handler_and_the_reverse() -> None:
    handled = {name: {kind for kind, _ in handlers.kinds.values()} for name, handlers in _handlers().items()}
    assert handled == _declared()


@pytest.mark.parametrize(
    ("service", "kind"),
    [
        ("knowledge", "document.process"),
        ("calllog", "audio.process"),
        ("realtime", "email.send"),
        ("realtime", "webhook.deliver"),
        ("calllog", "analytics.aggregate"),
        ("agent", "provider.sync"),
        ("billing", "billing.calculate"),
    ],
)
def test_each_of_the_seven_job_types_has_its_handler_in_one_service(service: str, kind: str) -> None:
    assert [name for name, handlers in _handlers().items() if kind in handlers.kinds] == [service]


@pytest.mark.parametrize(
    ("service", "kind", "ticks_a_day"),
    [
        ("agent", "provider.sync", 0),  # on request, by a person
        ("billing", "billing.calculate", 24 * 6),
        ("calllog", "analytics.aggregate", 24 + 1),
        ("calllog", "call.reconcile", 24 * 4),
        ("identity", "audit.forget", 1),
        ("identity", "audit.seal", 24 * 60),
        ("identity", "session.sweep", 1),
        ("knowledge", "document.reconcile", 24 * 60),
        ("knowledge", "index.refresh", 24 * 6),
        ("knowledge", "index.sweep", 1),
        ("realtime", "retention.sweep", 1),
    ],
)
def test_what_is_periodic_has_its_schedules(service: str, kind: str, ticks_a_day: int) -> None:
    before, ticks = datetime(2026, 1, 1, 23, 59, 59, tzinfo=UTC), 0
    for schedule in _handlers()[service].schedules.values():
        due = itertools.takewhile(lambda tick: tick <= before + timedelta(days=1), CronSim(schedule.cron, before))
        ticks += sum(1 for _ in due) if schedule.kind.name == kind else 0
    assert ticks == ticks_a_day


def test_a_schedule_makes_jobs_that_its_own_service_runs() -> None:
    strays = [
        f"{service}: {schedule.name} makes {schedule.kind.name}"
        for service, handlers in _handlers().items()
        for schedule in handlers.schedules.values()
        if schedule.kind.name not in handlers.kinds
    ]
    assert strays == []


def test_every_service_with_jobs_is_looked_at() -> None:
    rooms = {path.relative_to(ROOT).parts[1] for path in (ROOT / "services").glob("*/jobs*")}
    assert rooms == set(_handlers())
