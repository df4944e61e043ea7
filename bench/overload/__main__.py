"""`make bench-overload`: what a suite of one gateway answers at 1, 2 and 10 times its capacity, and to whom.

Ten organizations send uncached pages, then writes. Nine of them send half of the capacity together; the tenth sends the
rest, so that at ten times the capacity it sends nineteen times its share. The suite has all cores but one, the client
that one: it must not take the time that it measures. The capacity is what 24 requests at a time get through.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from bench.overload.generator import Answer, Generator
from local.runner.suite import Suite

ORGANIZATIONS = 10
# Rows of a page.
AGENTS = 50
# Requests at a time that find the capacity: more queue up without being answered faster.
IN_FLIGHT = 24
# The part of the capacity that those take together who keep to their share.
FAIR = 0.5
FACTORS = (1, 2, 10)
# The goals: goodput by peak, seconds of the accepted and the refused at p99, success of those who keep to their share.
GOODPUT, ACCEPTED_SECONDS, REFUSED_SECONDS, SUCCESS = 0.9, 0.3, 0.01, 0.99


@dataclass(frozen=True)
class Outcome:
    """What one offer got. Times in seconds at p99, rates a second."""

    name: str
    factor: int
    offered: float
    goodput: float
    accepted_p99: float
    refused_p99: float
    fair_success: float
    failed: dict[int, int]
    late_p99: float
    cpu_micros: float

    def problems(self, peak: float) -> list[str]:
        """What misses its goal; at the capacity itself nothing must be refused, so that it is only shown."""
        if self.factor == 1:
            return []
        found = []
        if self.goodput < GOODPUT * peak:
            found.append(f"goodput {self.goodput / peak:.0%}")
        if self.accepted_p99 > ACCEPTED_SECONDS:
            found.append(f"accepted p99 {self.accepted_p99 * 1000:.0f} ms")
        if self.refused_p99 > REFUSED_SECONDS:
            found.append(f"refused p99 {self.refused_p99 * 1000:.1f} ms")
        if self.fair_success < SUCCESS:
            found.append(f"success {self.fair_success:.1%}")
        if self.failed:
            found.append(f"other answers {self.failed}")
        return [f"{self.name} at {self.factor}×: {what}" for what in found]

    def line(self, peak: float) -> str:
        return (
            f"{self.name:6} {self.factor:2}×  offered {self.offered:6.0f}/s  goodput {self.goodput:5.0f}/s "
            f"({self.goodput / peak:4.0%})  accepted p99 {self.accepted_p99 * 1000:4.0f} ms  "
            f"refused p99 {self.refused_p99 * 1000:5.1f} ms  others {self.fair_success:6.1%}  "
            f"client: late p99 {self.late_p99 * 1000:.1f} ms, {self.cpu_micros:.0f} µs a request\n"
        )


def judge(
    name: str, factor: int, answers: Sequence[Answer], seconds: float, late: Sequence[float], cpu: float
) -> Outcome:
    """The last caller is the one that floods."""
    accepted = [answer for answer in answers if 200 <= answer.status < 300]
    refused = [answer for answer in answers if answer.status == 503]
    fair = [answer for answer in answers if answer.caller < ORGANIZATIONS - 1]
    good = sum(200 <= answer.status < 300 for answer in fair)
    return Outcome(
        name,
        factor,
        offered=len(answers) / seconds,
        goodput=sum(answer.ended <= seconds for answer in accepted) / seconds,
        accepted_p99=p99([answer.seconds for answer in accepted]),
        refused_p99=p99([answer.seconds for answer in refused]),
        fair_success=good / len(fair) if fair else 1.0,
        failed=dict(
            Counter(answer.status for answer in answers if not 200 <= answer.status < 300 and answer.status != 503)
        ),
        late_p99=p99(late),
        cpu_micros=cpu / max(1, len(answers)) * 1e6,
    )


def p99(values: Sequence[float]) -> float:
    """0 of none."""
    return sorted(values)[int(len(values) * 0.99)] if values else 0.0


def request(method: str, path: str, credential: str, body: bytes = b"", **fields: str) -> bytes:
    sent = {"Host": "gateway", "Authorization": credential, **{k.replace("_", "-"): v for k, v in fields.items()}}
    if body:
        sent["Content-Length"] = str(len(body))
    head = "\r\n".join([f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items())])
    return head.encode() + b"\r\n\r\n" + body


@dataclass(frozen=True)
class Organization:
    credential: str
    agents: Sequence[str]

    def reads(self) -> Iterator[bytes]:
        """A list for which a version is demanded comes from its service."""
        page = request("GET", f"/api/agents?limit={AGENTS}", self.credential, X_Min_Version="1")
        return itertools.repeat(page)

    def writes(self) -> Iterator[bytes]:
        for number in itertools.count():
            yield request(
                "PATCH", f"/api/agents/{self.agents[number % len(self.agents)]}", self.credential,
                json.dumps({"name": f"Renamed {number}"}).encode(), Content_Type="application/merge-patch+json",
            )  # fmt: skip


async def sign_up(url: str, number: int) -> Organization:
    async with httpx.AsyncClient(base_url=url, timeout=30) as http:
        account = {"email": f"bench-{number}-{time.time_ns()}@example.com", "password": secrets.token_urlsafe(16)}
        made = await http.post("/api/register", json={**account, "organizationName": f"Bench {number}"})
        made.raise_for_status()
        session = await http.post("/api/login", json=account)
        credential = f"Bearer {session.raise_for_status().json()['token']}"
        agents = []
        for _ in range(AGENTS):
            answer = await http.post(
                "/api/agents",
                json={"name": "Bench", "systemPrompt": "You are helpful. " * 20, "tags": ["bench"]},
                headers={"Authorization": credential},
            )
            agents.append(answer.raise_for_status().json()["id"])
        return Organization(credential, agents)


async def run(url: str, seconds: float) -> int:
    organizations = await asyncio.gather(*(sign_up(url, number) for number in range(ORGANIZATIONS)))
    parts = urlsplit(url)
    generator = Generator(parts.hostname or "", parts.port or 80)
    problems = []
    for name in ("reads", "writes"):
        callers = [getattr(organization, name)() for organization in organizations]
        await generator.saturate(callers, IN_FLIGHT, 2.0)
        answers = await generator.saturate(callers, IN_FLIGHT, seconds)
        peak = sum(200 <= answer.status < 300 for answer in answers) / seconds
        sys.stdout.write(f"{name:6} capacity {peak:.0f}/s with {IN_FLIGHT} at a time\n")
        for factor in FACTORS:
            rates = [FAIR * peak / (ORGANIZATIONS - 1)] * (ORGANIZATIONS - 1) + [(factor - FAIR) * peak]
            before = time.process_time()
            answers = await generator.offer(list(zip(callers, rates, strict=True)), seconds)
            cpu = time.process_time() - before
            outcome = judge(name, factor, answers, seconds, generator.late, cpu)
            sys.stdout.write(outcome.line(peak))
            sys.stdout.flush()
            problems += outcome.problems(peak)
    generator.close()
    sys.stdout.write(f"bench-overload: {'goals missed: ' + '; '.join(problems) if problems else 'all goals met'}\n")
    return 1 if problems else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.overload", description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each offer")
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        os.sched_setaffinity(0, cores[:-1] or cores)
        with Suite(Path(folder) / "suite", environment={"LIMITS": "bench"}) as suite:
            os.sched_setaffinity(0, cores[-1:])
            return asyncio.run(run(suite.url, options.seconds))


if __name__ == "__main__":
    sys.exit(main())
