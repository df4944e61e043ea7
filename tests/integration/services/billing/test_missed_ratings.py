"""What the sweep of billing.calculate finds: usage that was recorded and whose rating never came; and the warning that
a rating gives when credit runs low.
"""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta
from typing import Any

from libs.clock import utcnow
from libs.ids import new_id
from services.billing.domain.usage import UsageEvent
from services.billing.operations import CALCULATE

from .conftest import GRANT, LOW, NOON, Billing, usage

MINUTE = 100_000  # of a call, in millionths
MINUTE_SECONDS = 60_000_000


async def forget_to_rate(billing: Billing, org: str, recorded_at: datetime, events: int = 1) -> None:
    """Minutes of calls whose rating job is lost."""
    minutes = [UsageEvent(new_id("ue"), "call_seconds", NOON, MINUTE_SECONDS) for _ in range(events)]
    async with billing.database.transaction(org) as conn:
        await billing.books.usage.record(conn, org, minutes, recorded_at)


async def calculate(billing: Billing, org: str = "", **args: Any) -> dict[str, Any]:
    """A job of the schedule, or one of an organization; its result."""
    async with billing.database.system_transaction() as conn:
        job_id = await CALCULATE.enqueue(conn, org, args)
    async with asyncio.timeout(20):
        while True:
            sql = "select state, result from job where id = $1 and state in ('completed', 'failed')"
            if row := await billing.database.system_fetchrow(sql, job_id):
                assert row["state"] == "completed"
                return dict(json.loads(row["result"]))
            await asyncio.sleep(0.02)


async def test_the_sweep_rates_what_was_missed_once_and_leaves_what_is_on_its_way(billing: Billing) -> None:
    now, missed, young, ancient = utcnow(), [new_id("org"), new_id("org")], new_id("org"), new_id("org")
    for org, events in zip(missed, (1, 3), strict=True):
        await forget_to_rate(billing, org, now - timedelta(minutes=5), events)
    await forget_to_rate(billing, young, now - timedelta(minutes=1))
    await forget_to_rate(billing, ancient, now - timedelta(days=32))
    found = await asyncio.gather(calculate(billing), calculate(billing))
    assert {"organizations": 2} in found
    for org, events in zip(missed, (1, 3), strict=True):
        await billing.settled(org)
        assert (await billing.balance(org)).available_micros == GRANT - events * MINUTE
        assert await billing.topics(org) == ["usage.recorded"] * events
        assert len([entry for entry in await billing.ledger(org) if entry.type == "usage"]) == events
    for org in (young, ancient):
        await billing.settled(org)
        assert await billing.topics(org) == []
    assert await calculate(billing) == {"organizations": 0}


async def test_an_event_without_a_rate_is_kept_and_holds_up_no_other(billing: Billing) -> None:
    org, before_all_rates = new_id("org"), NOON.replace(year=1969)
    unpriced = [UsageEvent(new_id("ue"), "call_seconds", before_all_rates, MINUTE_SECONDS) for _ in range(1_001)]
    async with billing.database.transaction(org) as conn:
        await billing.books.usage.record(conn, org, unpriced, utcnow() - timedelta(minutes=5))
    await forget_to_rate(billing, org, utcnow() - timedelta(minutes=5), 2)
    await calculate(billing)
    await billing.settled(org)
    assert (await billing.balance(org)).available_micros == GRANT - 2 * MINUTE


async def test_low_credit_is_told_once_however_often_and_at_once_it_is_crossed(billing: Billing) -> None:
    org = new_id("org")
    minutes = (GRANT - LOW) // MINUTE + 1
    events = [usage(f"minute-{number}") for number in range(minutes)]
    await asyncio.gather(*(billing.record(org, event) for event in events))
    await billing.settled(org)
    assert (await billing.balance(org)).available_micros == LOW - MINUTE
    await calculate(billing, org, usageEventIds=[event.id for event in events])
    await billing.record(org, usage("one-more"))
    await billing.settled(org)
    assert (await billing.topics(org)).count("credit.low") == 1
    await billing.top_up(org, 3 * MINUTE, key=new_id("key"))
    await billing.record(org, *(usage(f"again-{number}") for number in range(3)))
    await billing.settled(org)
    assert (await billing.topics(org)).count("credit.low") == 2
