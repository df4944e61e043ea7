"""Ten times as many requests as a gateway has places, all of one organization, beside nine that ask one after the other
(promise L1), by count.

Every answer must be the page or a refusal that says when to try again. The nine are hardly ever refused, and everyone
is served once the flood is over. `make bench-overload` measures times.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from pathlib import Path

import httpx

from local.runner.suite import Suite
from tests.faults.customer import Customer, customer
from tests.faults.jobs import Outcome

PLACES = 16
OTHERS = 9
# A list for which a version is demanded comes from its service.
_PATH, _HEADERS = "/api/agents?limit=20", {"X-Min-Version": "1"}


async def flood_of_requests(folder: Path, flood: int, others: int, success_percent: float) -> Outcome:
    """`flood` requests of one organization, `others` of each of the nine; the least success of these."""
    settings = {"LIMITS": "bench", "GATEWAY_PLACES": str(PLACES), "LOG_LEVEL": "ERROR"}
    with Suite(folder, environment=settings) as suite:
        async with contextlib.AsyncExitStack() as stack:
            customers = [await stack.enter_async_context(customer(suite.url)) for _ in range(OTHERS + 1)]
            limits = httpx.Limits(max_connections=11 * PLACES)
            http = await stack.enter_async_context(httpx.AsyncClient(base_url=suite.url, limits=limits, timeout=60))
            flooding, served = Counter[str](), Counter[str]()
            left = iter(range(flood))

            async def flood_on() -> None:
                for _ in left:
                    flooding[await _ask(http, customers[0])] += 1

            async def ask_in_turn(one: Customer) -> None:
                for _ in range(others):
                    served[await _ask(http, one)] += 1

            async with asyncio.TaskGroup() as acts:
                for _ in range(10 * PLACES):
                    acts.create_task(flood_on())
                for one in customers[1:]:
                    acts.create_task(ask_in_turn(one))
            afterwards = Counter([await _ask(http, one) for one in customers])
    return _judged(flooding, served, afterwards, success_percent)


async def _ask(http: httpx.AsyncClient, one: Customer) -> str:
    """answered, refused, or what else it was."""
    answer = await http.get(_PATH, headers={**one.headers, **_HEADERS})
    if answer.status_code == 503 and answer.json()["code"] == "overloaded":
        return "refused" if answer.headers["retry-after"] in ("1", "2", "3") else "refused without a time"
    return "answered" if answer.status_code == 200 else f"{answer.status_code} {answer.text[:80]}"


def _judged(flooding: Counter[str], served: Counter[str], afterwards: Counter[str], success_percent: float) -> Outcome:
    percent = 100 * served["answered"] / served.total()
    outcome = Outcome(
        figures={
            "flood answered": flooding["answered"], "flood refused": flooding["refused"],
            "others asked": served.total(), "others served %": round(percent, 2),
        }
    )  # fmt: skip
    strange = (flooding + served).keys() - {"answered", "refused"}
    outcome.problems += [f"{name}: {(flooding + served)[name]} times" for name in sorted(strange)]
    if percent < success_percent:
        outcome.problems.append(f"only {percent:.1f} % of the others were served")
    if not flooding["refused"]:
        outcome.problems.append("nothing of the flood was refused")
    if afterwards.keys() != {"answered"}:
        outcome.problems.append(f"after the flood: {dict(afterwards)}")
    return outcome
