"""Cron: one job per tick of a schedule, over however many instances, in the schedule's time zone.

A tick is fired in one transaction that locks the schedule's row, writes the job and the firing (unique per schedule
and tick) and moves the row on; CronSim reads the expressions and knows daylight saving as Debian's cron does.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim

from libs.jobs.handlers import Handlers, Schedule
from libs.jobs.job import encode_json
from libs.postgres import Connection, Database

# A tick found this late was missed, not merely noticed late.
MISSED_AFTER = timedelta(seconds=60)
# Missed ticks that get a job with catch_up="all". More would write more rows in one transaction.
MAX_CATCH_UP = 1_000
# How long a firing stays. It must outlive the longest gap that is caught up, or a tick could fire twice.
KEEP_FIRINGS = timedelta(days=30)

_REGISTER = """
insert into job_schedule (name, kind, queue, cron, time_zone, catch_up, args, lane, max_attempts, next_fire_at)
values ($1, $2, $3, $4, $5, $6, $7::text::jsonb, $8, $9, $10)
on conflict (name) do update set
    kind = excluded.kind, queue = excluded.queue, catch_up = excluded.catch_up, args = excluded.args,
    lane = excluded.lane, max_attempts = excluded.max_attempts, cron = excluded.cron, time_zone = excluded.time_zone,
    next_fire_at = case when (job_schedule.cron, job_schedule.time_zone) = (excluded.cron, excluded.time_zone)
        then job_schedule.next_fire_at else excluded.next_fire_at end"""
_UNREGISTER = "delete from job_schedule where not name = any($1::text[])"
_DUE = """
select name, next_fire_at, clock_timestamp() as now from job_schedule
where next_fire_at <= clock_timestamp() and name = any($1::text[]) order by next_fire_at for update skip locked"""
_MOVE = "update job_schedule set next_fire_at = $2, last_fire_at = coalesce($3, last_fire_at) where name = $1"
_FIRE = """
insert into job_firing (schedule, fire_at, job_id) values ($1, $2, '') on conflict do nothing returning schedule"""
_FIRED = "update job_firing set job_id = $3 where schedule = $1 and fire_at = $2"
_FORGET = "delete from job_firing where fire_at < clock_timestamp() - $1::interval"


def next_tick(schedule: Schedule, after: datetime) -> datetime:
    """The first tick later than `after`."""
    tick: datetime = next(CronSim(schedule.cron, after.astimezone(ZoneInfo(schedule.tz))))
    return tick


def ticks_due(schedule: Schedule, first: datetime, now: datetime) -> tuple[list[datetime], datetime]:
    """Which of the ticks from `first` to `now` get a job by the schedule's catch-up rule, and the next one to wait for.
    Beyond 1,000 missed ticks the oldest are dropped."""
    due, tick = [], first
    while tick <= now:
        due.append(tick)
        if len(due) > MAX_CATCH_UP:
            del due[0]
        tick = next_tick(schedule, tick)
    if schedule.catch_up == "one":
        due = due[-1:]
    elif schedule.catch_up == "none":
        due = [late for late in due[-1:] if now - late <= MISSED_AFTER]
    return due, tick


class Scheduler:
    """Fires the schedules that this service's handlers declare."""

    def __init__(self, db: Database, handlers: Handlers) -> None:
        self._db = db
        self._handlers = handlers
        self._registered = False

    async def fire(self) -> list[str]:
        """Fire what is due; the queues that got a job. The first call also declares the schedules."""
        schedules = self._handlers.schedules
        if not self._registered:
            await self._register()
            self._registered = True
        queues: list[str] = []
        if not schedules:
            return queues
        async with self._db.system_transaction() as conn:
            for row in await conn.fetch(_DUE, list(schedules)):
                schedule = schedules[row["name"]]
                due, following = ticks_due(schedule, row["next_fire_at"], row["now"])
                queues += await self._fire(conn, schedule, due)
                await conn.execute(_MOVE, schedule.name, following, due[-1] if due else None)
        return queues

    async def _fire(self, conn: Connection, schedule: Schedule, due: Sequence[datetime]) -> list[str]:
        for tick in due:
            if await conn.fetchval(_FIRE, schedule.name, tick) is None:
                continue
            job_id = await schedule.kind.enqueue(conn, "", {**schedule.args, "scheduledFor": tick.isoformat()})
            await conn.execute(_FIRED, schedule.name, tick, job_id)
        return [schedule.kind.queue] if due else []

    async def _register(self) -> None:
        async with self._db.system_transaction() as conn:
            now: datetime = await conn.fetchval("select clock_timestamp()")
            for schedule in self._handlers.schedules.values():
                kind = schedule.kind
                await conn.execute(
                    _REGISTER, schedule.name, kind.name, kind.queue, schedule.cron, schedule.tz, schedule.catch_up,
                    encode_json(schedule.args, "arguments"), int(kind.lane), kind.max_attempts,
                    next_tick(schedule, now),
                )  # fmt: skip
            await conn.execute(_UNREGISTER, list(self._handlers.schedules))
            await conn.execute(_FORGET, KEEP_FIRINGS)
