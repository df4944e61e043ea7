"""Costs of a batch are written to rows that are found by their ids, also by a plan made while the table was empty."""

from __future__ import annotations

import itertools

from services.calllog.storage import calls

from .conftest import CallLog


async def test_no_plan_of_costs_reads_all_calls_of_the_organization(calllog: CallLog) -> None:
    async with calllog.database.system_transaction("org_planned", by_index=True) as conn:
        await conn.execute(f"prepare costs as {calls._SET_COSTS}")
        plan = await conn.fetch("explain execute costs(null, null, null, null, null)")
        await conn.execute("deallocate costs")
    lines = [row[0].strip() for row in plan]
    scans = [below for line, below in itertools.pairwise(lines) if "Scan" in line and " on call" in line]
    assert len(scans) == 2, "\n".join(lines)
    assert all("(id = ANY ($2))" in scan for scan in scans), "\n".join(lines)
