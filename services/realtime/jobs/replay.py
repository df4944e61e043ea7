"""webhook.replay {endpointId, after, before, types, onlyUndelivered}: deliver the events of a time range again.

Each event is delivered once per replay: a delivery that this job has opened names it, so a repeated run skips it.
"""

from __future__ import annotations

import dataclasses
import json

from libs.jobs import Discard, JobContext, enqueue_many
from libs.postgres import Connection
from services.realtime import operations
from services.realtime.domain.delivery import Endpoint
from services.realtime.storage import deliveries, endpoints, event_log, turns
from services.realtime.storage.event_log import LoggedEvent

# Events of one transaction, so that it holds the endpoint's row only shortly.
_BATCH = 200


class Replay:
    async def __call__(self, ctx: JobContext) -> dict[str, int]:
        org_id, args = ctx.job.org_id, ctx.job.args
        total = await event_log.count_range(ctx.db, org_id, args["after"], args["before"], args["types"])
        seen, opened, last = 0, 0, args["after"]
        while batch := await event_log.read_range(ctx.db, org_id, last, args["before"], args["types"], _BATCH):
            async with ctx.db.transaction(org_id) as conn:
                endpoint = await endpoints.lock(conn, org_id, args["endpointId"])
                if endpoint is None or endpoint.status != "enabled":
                    raise Discard(
                        "endpoint_disabled", "The endpoint is disabled or deleted; enable it and replay again."
                    )
                opened += await _open(conn, ctx, endpoint, batch)
            seen, last = seen + len(batch), batch[-1].id
            await ctx.progress(min(99, 100 * seen // max(total, 1)), f"{seen} of {total} events")
        return {"events": seen, "deliveries": opened}


async def _open(conn: Connection, ctx: JobContext, endpoint: Endpoint, batch: list[LoggedEvent]) -> int:
    """Open a delivery for each event of the batch that needs one; how many."""
    org_id, only_undelivered = ctx.job.org_id, ctx.job.args["onlyUndelivered"]
    known = await deliveries.of_events(conn, org_id, endpoint.id, [event.id for event in batch])
    opened = 0
    for event in batch:
        found, replay_job = known.get(event.id, (None, ""))
        if replay_job == ctx.job.id or (found is not None and found.status == "pending"):
            continue
        if found is not None and only_undelivered and found.status == "delivered":
            continue
        delivery = found or operations.new_delivery(endpoint, event.id, event.type, event.position)
        [job_id] = await enqueue_many(conn, [operations.deliver_job(delivery)])
        if found is None:
            delivery = dataclasses.replace(delivery, job_id=job_id)
            await deliveries.add(conn, org_id, delivery, operations.encoded(json.loads(event.envelope)), ctx.job.id)
        else:
            await deliveries.reopen(conn, org_id, found.id, job_id, ctx.job.id)
        opened += 1
    if opened:
        await turns.clear_rest(conn, org_id, endpoint.id)
    return opened
