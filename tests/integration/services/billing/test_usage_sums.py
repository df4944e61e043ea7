"""Sums of usage as a list: exact beyond a bigint, in either order, whole by cursor."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest

from echosenseix.billing.v1 import billing_pb2
from echosenseix.common.v1 import common_pb2
from libs.errors import InvalidArgument
from libs.ids import new_id

from .conftest import NOON, Billing, usage

GROUPS = ("agentId", "provider", "meter", "day")


async def used(billing: Billing) -> str:
    """An organization with usage of two meters by two agents at two providers on two days."""
    org = new_id("org")
    parts = itertools.product(("sms_segments", "llm_tokens"), ("a", "b"), ("vapi", "retell"), (0, 1))
    for number, (meter, agent, provider, day) in enumerate(parts):
        at = NOON - timedelta(days=day)
        await billing.record(org, usage(f"e{number}", "1", meter, at, agentId=agent, provider=provider))
    return org


async def walked(billing: Billing, org: str, groups: tuple[str, ...], order: str) -> list[billing_pb2.UsageRow]:
    rows: list[billing_pb2.UsageRow] = []
    cursor = ""
    while True:
        page = common_pb2.PageRequest(cursor_mode=True, cursor=cursor, limit=1, order=order)
        answer = await billing.usage_rows(org, *groups, page=page)
        rows += answer.rows
        assert len(rows) <= 16, "the cursor does not move"
        cursor = answer.page_info.next_cursor
        if not cursor:
            return rows


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize(
    "groups", [chosen for size in range(len(GROUPS) + 1) for chosen in itertools.combinations(GROUPS, size)]
)
async def test_a_walk_by_cursor_meets_every_group_once_in_order(
    billing: Billing, groups: tuple[str, ...], order: str
) -> None:
    org = await used(billing)
    page = common_pb2.PageRequest(page=1, limit=200, order=order)
    whole = await billing.usage_rows(org, *groups, page=page)
    rows = await walked(billing, org, groups, order)
    assert rows == list(whole.rows)
    assert sum(row.events for row in rows) == 16
    days = [row.day for row in rows]
    assert days == sorted(days, reverse=order == "desc")


async def test_a_cursor_of_the_other_order_is_refused(billing: Billing) -> None:
    org = await used(billing)
    first = await billing.usage_rows(org, "day", page=common_pb2.PageRequest(limit=1, cursor_mode=True))
    page = common_pb2.PageRequest(limit=1, cursor=first.page_info.next_cursor, order="asc")
    with pytest.raises(InvalidArgument, match="invalid_cursor"):
        await billing.usage_rows(org, "day", page=page)


async def test_sums_beyond_a_bigint_are_exact(billing: Billing) -> None:
    org = new_id("org")
    for number in range(12):
        await billing.record(org, usage(f"large{number}", "999999999999.999999", "stt_seconds"))
    rows = (await billing.usage_rows(org)).rows
    assert [(row.quantity, row.events) for row in rows] == [("11999999999999.999988", 12)]
