"""Commands to running calls: what may be asked, and how each is settled once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from libs.errors import FailedPrecondition, InvalidArgument
from providers.interface.reports import CallStatus
from services.calllog.domain.commands import Command, acknowledged, checked, settled_by_end, timed_out

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(seconds=30)


def command(**changes: object) -> Command:
    made = Command("cmd_1", "org_1", "call_1", "", "end_call", "", "", "", "pending", "", NOW, LATER)
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "sent",
    [{}, {"reason": "rude"}, {"type": "transfer", "to": "+1"}, {"type": "inject_context", "context": "VIP"}],
)
def test_a_command_with_what_its_type_needs_is_taken(sent: dict[str, str]) -> None:
    assert checked(command(**sent), 30) == command(**sent)


@pytest.mark.parametrize(
    ("sent", "seconds", "pointers"),
    [
        ({"type": "sing"}, 30, ["#/type"]),
        ({"type": "transfer"}, 30, ["#/to"]),
        ({"type": "transfer", "to": "x" * 257}, 30, ["#/to"]),
        ({"type": "inject_context", "to": "+1"}, 0, ["#/to", "#/context", "#/timeoutSeconds"]),
        ({"to": "+1", "reason": "x" * 501}, 301, ["#/to", "#/reason", "#/timeoutSeconds"]),
    ],
)
def test_every_violation_of_a_command_is_told(sent: dict[str, str], seconds: int, pointers: list[str]) -> None:
    with pytest.raises(InvalidArgument) as refused:
        checked(command(**sent), seconds)
    assert [found.pointer for found in refused.value.violations] == pointers


def test_an_outcome_told_twice_is_one_outcome() -> None:
    done = acknowledged(command(), "acknowledged", "said", NOW)
    assert (done.status, done.detail, done.settled_at) == ("acknowledged", "said", NOW)
    assert acknowledged(done, "acknowledged", "again", LATER) is done


@pytest.mark.parametrize(
    ("known", "at", "reason"),
    [
        (command(), LATER, "command_timed_out"),
        (timed_out(command()), LATER, "command_timed_out"),
        (command(status="failed"), NOW, "command_settled"),
    ],
)
def test_a_command_is_settled_once_and_in_its_time(known: Command, at: datetime, reason: str) -> None:
    with pytest.raises(FailedPrecondition) as refused:
        acknowledged(known, "acknowledged", "", at)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("sort", "call", "at", "status", "detail"),
    [
        ("end_call", CallStatus.COMPLETED, NOW, "acknowledged", "The call ended."),
        ("end_call", CallStatus.FAILED, NOW, "failed", "The call ended."),
        ("transfer", CallStatus.COMPLETED, NOW, "failed", "The call ended."),
        ("end_call", CallStatus.COMPLETED, LATER, "timed_out", ""),
    ],
)
def test_the_end_of_the_call_settles_what_waits(
    sort: str, call: CallStatus, at: datetime, status: str, detail: str
) -> None:
    settled = settled_by_end(command(type=sort), call, at)
    assert (settled.status, settled.detail, settled.settled_at) == (status, detail, at)
