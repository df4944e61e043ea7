"""Ticks of cron expressions: time zones, daylight saving, catch-up."""

from datetime import UTC, datetime, timedelta

import pytest

from libs.jobs.handlers import Handlers, Schedule
from libs.jobs.kind import JobKind
from libs.jobs.worker.schedule import MAX_CATCH_UP, next_tick, ticks_due

KIND = JobKind("k", service="x")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_tick_is_a_time_of_day_in_its_zone_also_over_daylight_saving() -> None:
    nightly = Schedule("n", "30 3 * * *", KIND, tz="Europe/Berlin")
    assert next_tick(nightly, at("2026-03-28T00:00")) == at("2026-03-28T02:30")  # winter, UTC+1
    assert next_tick(nightly, at("2026-03-29T02:00")) == at("2026-03-30T01:30")  # summer, UTC+2


def test_an_hour_that_does_not_exist_still_fires_once_and_one_that_comes_twice_does_too() -> None:
    nightly = Schedule("n", "30 2 * * *", KIND, tz="Europe/Berlin")
    spring = [tick for tick in all_ticks(nightly, at("2026-03-28T12:00"), 3) if tick.date() == at("2026-03-29").date()]
    autumn = [tick for tick in all_ticks(nightly, at("2026-10-24T12:00"), 3) if tick.date() == at("2026-10-25").date()]
    assert len(spring) == len(autumn) == 1


def all_ticks(schedule: Schedule, after: datetime, count: int) -> list[datetime]:
    ticks = []
    for _ in range(count):
        after = next_tick(schedule, after).astimezone(UTC)
        ticks.append(after)
    return ticks


@pytest.mark.parametrize(("catch_up", "expected"), [("all", [0, 1, 2, 3]), ("one", [3]), ("none", [])])
def test_missed_ticks(catch_up: str, expected: list[int]) -> None:
    hourly = Schedule("h", "0 * * * *", KIND, catch_up=catch_up)
    first = at("2026-01-01T00:00")
    due, following = ticks_due(hourly, first, at("2026-01-01T03:20"))
    assert due == [first + timedelta(hours=hour) for hour in expected]
    assert following == at("2026-01-01T04:00")


def test_a_tick_noticed_at_once_is_never_missed() -> None:
    hourly = Schedule("h", "0 * * * *", KIND, catch_up="none")
    due, _ = ticks_due(hourly, at("2026-01-01T03:00"), at("2026-01-01T03:00:02"))
    assert due == [at("2026-01-01T03:00")]


def test_a_long_absence_is_caught_up_within_bounds() -> None:
    minutely = Schedule("m", "* * * * *", KIND, catch_up="all")
    due, following = ticks_due(minutely, at("2026-01-01T00:00"), at("2026-01-10T00:00:30"))
    assert len(due) == MAX_CATCH_UP
    assert due[-1] == at("2026-01-10T00:00")
    assert following == at("2026-01-10T00:01")


@pytest.mark.parametrize("wrong", [{"cron": "61 * * * *"}, {"tz": "Mars/Base"}, {"catch_up": "some"}])
def test_a_schedule_that_cannot_fire_is_refused_at_start(wrong: dict[str, str]) -> None:
    told = {"cron": "0 * * * *", **wrong}
    with pytest.raises(Exception):  # noqa: B017, PT011 each library has its own
        Handlers().cron("n", told.pop("cron"), KIND, **told)  # type: ignore[arg-type]
