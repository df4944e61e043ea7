"""Claims: which due jobs a worker takes next, fair between organizations and within every limit.

A loose index scan walks from organization to organization (one index descent each), starting after the one that was
served last, and takes a few jobs of each: the cost of a claim depends on what it takes, not on what waits. Rows are
taken with SKIP LOCKED, so claimers never wait for one another. Only queues with limits take a lock.
"""

import math
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from libs.jobs.job import Job, Lane, decode_json
from libs.jobs.queues import QueuePolicy
from libs.jobs.store.leases import LEASE_SECONDS
from libs.postgres import Connection, Database

# Jobs per organization in one round of a claim. Higher: cheaper claims, longer turns of one organization.
QUANTUM = 4
# Jobs in a claim up to which an organization gets at most QUANTUM. Larger claims run short jobs and share out what is
# free.
FEW = 64
# Organizations that a lane is assumed to have before the first round, so that the first claim takes few of each.
UNKNOWN = 1_000
_STRICT = [int(lane) for lane in (Lane.HIGH, Lane.NORMAL, Lane.LOW)]
# Sorts behind an id and before every other one.
_AFTER = "\x01"
# Seconds before the next try when another claimer holds a limited queue's lock. A claim holds it for a few
# milliseconds.
_LOCK_RETRY_SECONDS = 0.02

# Queue, lanes in order, where to begin in each, jobs per organization in each, jobs wanted, token, lease seconds,
# worker, organizations with an allowance, those allowances, everyone else's, whether a suspect may be taken. The SQL is
# in migrations/0002.
_CLAIM = """
select id, kind, org_id, args, lane, attempt, max_attempts, stalls, run_at,
    extract(epoch from started_at - run_at)::float8 as waited, traceparent
from job_claim($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"""
# The SQL is in migrations/0006.
_WAITING = "select q.name from job_waiting($1) as q(name)"
_LOCK = "select pg_try_advisory_xact_lock(hashtextextended('job_claim ' || current_schema() || ' ' || $1, 0))"
_RUNNING = """
select org_id, count(*)::int as running from job where queue = $1 and state = 'running' group by org_id"""
_PACE = """
select org_id, extract(epoch from next_at - clock_timestamp())::float8 as ahead from job_pace
where queue = $1 and next_at > clock_timestamp()"""
_ADVANCE = """
insert into job_pace (queue, org_id, next_at)
select $1, v.org_id, clock_timestamp() + make_interval(secs => v.ahead)
from unnest($2::text[], $3::float8[]) as v(org_id, ahead)
on conflict (queue, org_id) do update set next_at = excluded.next_at"""
# The largest int4: no limit.
_UNLIMITED = 2**31 - 1


@dataclass(slots=True)
class Allowance:
    """What the limits of a queue still allow: in all, per organization that is near its limit, and per other one."""

    total: int
    orgs: dict[str, int] = field(default_factory=dict)
    other: int = _UNLIMITED

    def spend(self, jobs: Sequence[Job]) -> None:
        self.total -= len(jobs)
        for job in jobs:
            self.orgs[job.org_id] = self.orgs.get(job.org_id, self.other) - 1


async def waiting(db: Database, queues: Sequence[str]) -> set[str]:
    """Which of these queues have jobs that are due now or soon."""
    return {row["name"] for row in await db.system_fetch(_WAITING, queues)}


class Claimer:
    """Takes due jobs of one queue for one worker. After a claim, `drained` says that nothing due was left over and
    `retry_in` when the limits allow more."""

    def __init__(self, db: Database, policy: QueuePolicy, worker: str) -> None:
        self._db = db
        self._policy = policy
        self._worker = worker
        self._begin_at = dict.fromkeys(_STRICT, "")
        self._organizations = dict.fromkeys(_STRICT, UNKNOWN)
        self._met: dict[int, set[str]] = {lane: set() for lane in _STRICT}
        self._round = 0
        self._suspect = True
        self.drained = False
        self.retry_in: float | None = None

    @property
    def limited(self) -> bool:
        return self._policy.limited

    async def claim(self, wanted: int, *, suspect: bool = True) -> list[Job]:
        """At most `wanted` jobs, now leased to this worker; `suspect`: one of them may be a job that is one stall from
        quarantine."""
        self.retry_in, self.drained, self._suspect = None, True, suspect
        self._round += 1
        # Every eighth claim begins with the low lane, so that a flood of urgent work cannot starve it.
        lanes = _STRICT if self._round % 8 else _STRICT[::-1]
        if not self._policy.limited:
            return await self._walk(self._db, lanes, Allowance(wanted))
        if not await waiting(self._db, [self._policy.name]):
            return []
        async with self._db.system_transaction() as conn:
            if not await conn.fetchval(_LOCK, self._policy.name):
                self.retry_in = _LOCK_RETRY_SECONDS
                return []
            return await self._claim_within_limits(conn, lanes, wanted)

    async def _claim_within_limits(self, conn: Connection, lanes: Sequence[int], wanted: int) -> list[Job]:
        policy = self._policy
        running = {row["org_id"]: row["running"] for row in await conn.fetch(_RUNNING, policy.name)}
        ahead: dict[str, float] = {}
        if policy.rate or policy.rate_per_org:
            ahead = {row["org_id"]: row["ahead"] for row in await conn.fetch(_PACE, policy.name)}
        allowance = allow(policy, wanted, running, ahead)
        jobs: list[Job] = []
        for lane in lanes:  # one by one: each claim must know what the previous one used of an organization's allowance
            if allowance.total > 0:
                jobs += await self._walk(conn, [lane], allowance)
        if later := pace(policy, ahead, jobs):
            await conn.execute(_ADVANCE, policy.name, list(later), list(later.values()))
        self.retry_in = next_start(policy, {**ahead, **later})
        return jobs

    async def _walk(self, where: Database | Connection, lanes: Sequence[int], allowance: Allowance) -> list[Job]:
        """One round over the organizations, starting after the one that was served last. Urgent jobs are taken without
        a share."""
        shares = [self._share(lane, allowance.total) for lane in lanes]
        jobs = await self._statement(where, lanes, shares, allowance)
        # A suspect is taken from any lane, also from one that is not walked now, and beside its organization's turn.
        in_turn = [job for job in jobs if not job.suspect]
        full, taken = allowance.total <= 0, Counter((job.lane, job.org_id) for job in in_turn)
        self._move_on(lanes, in_turn, full=full)
        self._count(taken.keys(), full=full)
        if full:
            self.drained = False
        elif any(count >= shares[list(lanes).index(lane)] for (lane, _), count in taken.items()):
            # Fewer organizations have jobs than expected: give the free places to those that have more.
            share = math.ceil(allowance.total / len(taken))
            more = await self._statement(where, lanes, [share] * len(lanes), allowance)
            self.drained &= max(Counter(job.org_id for job in more).values(), default=0) < share
            jobs += more
        jobs.sort(key=lambda job: (job.lane, job.run_at))
        return jobs

    def _share(self, lane: int, wanted: int) -> int:
        """The share of one organization in a claim. A worker that wants few jobs runs long ones and must not fill up
        with jobs of one organization."""
        if lane == Lane.HIGH:
            return wanted
        return QUANTUM if wanted <= FEW else max(QUANTUM, math.ceil(wanted / self._organizations[lane]))

    def _count(self, served: Set[tuple[int, str]], *, full: bool) -> None:
        """How many organizations have jobs due in each lane, by those met since the round began: so many share it."""
        for lane in _STRICT:
            orgs, met = {org for of, org in served if of == lane}, self._met[lane]
            if not full:
                self._organizations[lane], self._met[lane] = len(orgs) or UNKNOWN, set()
            elif met & orgs:
                self._organizations[lane], self._met[lane] = len(met | orgs), orgs
            else:
                met |= orgs
                self._organizations[lane] = max(self._organizations[lane], len(met))

    def _move_on(self, lanes: Sequence[int], jobs: Sequence[Job], *, full: bool) -> None:
        """The next claim begins behind the organization at which this one was full."""
        if full and jobs:
            last = max((job.lane for job in jobs), key=list(lanes).index)
            begun, served = self._begin_at[last], {job.org_id for job in jobs if job.lane == last}
            # The round wrapped: organizations before the start were served last.
            self._begin_at[last] = max({org for org in served if org < begun} or served) + _AFTER

    async def _statement(
        self, where: Database | Connection, lanes: Sequence[int], shares: Sequence[int], allow: Allowance
    ) -> list[Job]:
        token = uuid.uuid4()
        begin_at = [self._begin_at[lane] for lane in lanes]
        fetch = where.system_fetch if isinstance(where, Database) else where.fetch
        rows = await fetch(
            _CLAIM, self._policy.name, lanes, begin_at, shares, allow.total, token, LEASE_SECONDS, self._worker,
            list(allow.orgs), list(allow.orgs.values()), allow.other, self._suspect,
        )  # fmt: skip
        jobs = [self._job(row, token) for row in rows]
        self._suspect = self._suspect and not any(job.suspect for job in jobs)
        allow.spend(jobs)
        return jobs

    def _job(self, row: Any, token: uuid.UUID) -> Job:
        job_id, kind, org_id, args, lane, attempt, max_attempts, stalls, run_at, waited, traceparent = row
        return Job(
            job_id, self._policy.name, kind, org_id, decode_json(args), lane, attempt, max_attempts, stalls, run_at,
            waited, traceparent, self._worker, token,
        )  # fmt: skip


def allow(policy: QueuePolicy, wanted: int, running: Mapping[str, int], ahead: Mapping[str, float]) -> Allowance:
    """What the limits leave, by what runs now and by how far ahead of now each next paced start is."""
    total = wanted
    if policy.max_running is not None:
        total = min(total, policy.max_running - sum(running.values()))
    if policy.rate:
        total = min(total, policy.rate.allowed(ahead.get("", 0.0)))
    cap, rate = policy.max_running_per_org or _UNLIMITED, policy.rate_per_org
    allowance = Allowance(total, other=min(cap, rate.burst if rate else _UNLIMITED))
    for org_id in {*running, *(ahead if rate else ())}:
        paced = rate.allowed(ahead.get(org_id, 0.0) if org_id else 0.0) if rate else _UNLIMITED
        allowance.orgs[org_id] = max(0, min(cap - running.get(org_id, 0), paced))
    return allowance


def pace(policy: QueuePolicy, ahead: Mapping[str, float], jobs: Sequence[Job]) -> dict[str, float]:
    """How far ahead of now the next paced start is after these; '' is the queue as a whole."""
    later: dict[str, float] = {}
    for org_id, starts in Counter(job.org_id for job in jobs if job.org_id).items():
        if policy.rate_per_org:
            later[org_id] = max(0.0, ahead.get(org_id, 0.0)) + starts * policy.rate_per_org.interval
    if policy.rate and jobs:
        later[""] = max(0.0, ahead.get("", 0.0)) + len(jobs) * policy.rate.interval
    return later


def next_start(policy: QueuePolicy, ahead: Mapping[str, float]) -> float | None:
    """Seconds until pacing admits an organization that it holds back now; None when it holds none back."""
    rates = ((policy.rate if org_id == "" else policy.rate_per_org, seconds) for org_id, seconds in ahead.items())
    waits = [rate.wait(seconds) for rate, seconds in rates if rate and rate.allowed(seconds) == 0]
    return min(waits, default=None)
