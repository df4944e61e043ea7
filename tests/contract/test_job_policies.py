"""What the services' workers can run: the architecture's job types and schedules, each job made by its kind's policy.

A job's row, not its handler, says how often it is tried: a call that leaves the policy's number out gets the default.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cronsim import CronSim

from libs.jobs import Handlers, JobPolicy, Lane, NewJob, enqueue
from services.agent.jobs import job_handlers as agent
from services.billing.jobs import Calculation
from services.calllog.config import CallLogSettings
from services.calllog.jobs import job_handlers as calllog
from services.identity.jobs import job_handlers as identity
from services.knowledge.jobs import KnowledgeJobs
from services.realtime.config import RealtimeSettings
from services.realtime.jobs import job_handlers as realtime

ROOT = Path(__file__).resolve().parents[2]
MAKERS = {"enqueue": inspect.signature(enqueue), "NewJob": inspect.signature(NewJob)}


def defaults(settings: Any) -> Any:
    return SimpleNamespace(**{field.name: field.default for field in dataclasses.fields(settings)})


def _handlers() -> dict[str, Handlers]:
    """Of every service; what the handlers work with is not touched by asking for their policies."""
    none: Any = None
    runs: Any = SimpleNamespace(run=none)
    return {
        "agent": agent(none, none, none, none, none),
        "billing": Calculation(none, 0, none).handlers(),
        "calllog": calllog(runs, runs, runs, runs, defaults(CallLogSettings).reconcile_cron),
        "identity": identity(none, none),
        "knowledge": KnowledgeJobs(none, none, none, none, none, none, none, "").handlers(),
        "realtime": realtime(defaults(RealtimeSettings), none, none),
    }


def _made(text: str, names: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each call in the text that makes a job: its line and what it asks for, in constants of its module."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MAKERS:
            signature = MAKERS[node.func.id]
            given = signature.bind(*node.args, **{word.arg: word.value for word in node.keywords if word.arg})
            wish = {name: signature.parameters[name].default for name in ("queue", "max_attempts", "lane")}
            for name in ("kind", "queue", "max_attempts"):
                if name in given.arguments:
                    wish[name] = eval(compile(ast.Expression(given.arguments[name]), "<call>", "eval"), names)
            if "lane" in given.arguments:
                wish["lane"] = None  # what is named is chosen: one kind may be urgent here and wait there
            yield node.lineno, wish


def _strays(wish: dict[str, Any], policy: JobPolicy) -> list[str]:
    wanted = {"queue": policy.queue, "max_attempts": policy.max_attempts}
    if wish["lane"] is not None:
        wanted["lane"] = Lane.of(policy.lane)
    return [
        f"{name}={wish[name]!r}, its policy says {value!r}" for name, value in wanted.items() if wish[name] != value
    ]


def test_a_job_is_made_by_the_policy_of_its_kind() -> None:
    handlers, seen, found = _handlers(), set(), []
    for path in sorted((ROOT / "services").rglob("*.py")):
        place = path.relative_to(ROOT)
        text, service = path.read_text("utf-8"), place.parts[1]
        if not any(f"{maker}(" in text for maker in MAKERS):
            continue
        module = importlib.import_module(".".join(place.with_suffix("").parts).removesuffix(".__init__"))
        for line, wish in _made(text, vars(module)):
            seen.add(wish["kind"])
            found += [
                f"{place}:{line}: {wish['kind']}: {stray}"
                for stray in _strays(wish, handlers[service].policy_of(wish["kind"]))
            ]
    assert found == []
    assert {"provider.sync", "billing.calculate", "call.reconcile", "blob.delete", "webhook.deliver"} <= seen


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
        ticks += sum(1 for _ in due) if schedule.kind == kind else 0
    assert ticks == ticks_a_day


def test_a_schedule_makes_jobs_that_its_own_service_runs() -> None:
    strays = [
        f"{service}: {schedule.name} makes {schedule.kind}"
        for service, handlers in _handlers().items()
        for schedule in handlers.schedules.values()
        if schedule.kind not in handlers.kinds
    ]
    assert strays == []


def test_every_service_with_jobs_is_looked_at() -> None:
    rooms = {path.relative_to(ROOT).parts[1] for path in (ROOT / "services").glob("*/jobs*")}
    assert rooms == set(_handlers())


@pytest.mark.parametrize(
    ("call", "strays"),
    [
        (
            "enqueue(conn, service='x', kind=KIND, org_id='o', queue=P.queue, max_attempts=P.max_attempts, lane='low')",
            0,
        ),
        ("NewJob(KIND, 'o', {}, 'slow', max_attempts=10, lane='high')", 0),
        ("NewJob(KIND, 'o', {}, 'slow', max_attempts=10)", 1),
        ("enqueue(conn, service='x', kind=KIND, org_id='o')", 3),
    ],
)
def test_a_call_that_strays_is_seen(call: str, strays: int) -> None:
    policy = JobPolicy(queue="slow", max_attempts=10, lane="high")
    ((_, wish),) = _made(call, {"KIND": "a.b", "P": policy})
    assert len(_strays(wish, policy)) == strays
