"""Turns: one job at a time delivers to an endpoint, the oldest event first, whichever deliveries they belong to.

A job that dies keeps the turn until it runs again or the turn's time is over. Order and isolation rest on this module.
"""

from __future__ import annotations

import dataclasses

from libs.postgres import Connection, Database
from services.realtime.domain.delivery import ATTEMPT_SECONDS, MAX_ATTEMPTS

# Seconds of a turn without renewal: an attempt, and what recording it may take.
TURN_SECONDS = ATTEMPT_SECONDS + 25

# Two statements in one transaction: the second sees what the former holder of the turn has committed.
_TAKE = """
update webhook_endpoint e set turn_job = $3, turn_until = now() + make_interval(secs => $4)
where e.org_id = $1 and e.id = $2 and e.status = 'enabled'
    and (e.turn_job = $3 or e.turn_until is null or e.turn_until <= now())
    and (e.hold_until is null or e.hold_until <= now())
returning e.url, e.content_type, e.secret, e.failed_attempts,
    case when e.previous_secret_until > now() then e.previous_secret end as previous_secret
"""
# The last attempt of a delivery is left to its own job, which ends with it. A delivery whose job was cancelled is not
# sent.
_OLDEST_DUE = """
select d.id, d.event_type, d.position, d.tries, d.body
from webhook_delivery d
where d.org_id = $1 and d.endpoint_id = $2 and d.status = 'pending' and d.next_attempt_at <= now()
    and (d.job_id = $3 or (d.tries < $4 and exists (
        select 1 from job j where j.org_id = d.org_id and j.id = d.job_id and j.finished_at is null)))
order by d.position, d.id limit 1
"""
_RELEASE = """
update webhook_endpoint set turn_job = '', turn_until = null where org_id = $1 and id = $2 and turn_job = $3
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Outgoing:
    """One attempt's material. `secrets` are encrypted, the newest first; two while a rotation overlaps. `tries` are the
    attempts of this round so far, `failed_attempts` those of the endpoint since its last success."""

    delivery_id: str
    endpoint_id: str
    position: int
    tries: int
    body: bytes
    url: str
    content_type: str
    failed_attempts: int
    secrets: tuple[bytes, ...]


async def next_due(database: Database, org_id: str, endpoint_id: str, job_id: str) -> Outgoing | None:
    """Take or renew the turn of an endpoint for this job and return its oldest due delivery. None when another job has
    the turn, the endpoint rests or is disabled, or nothing is due; then this job has no turn."""
    async with database.transaction(org_id) as conn:
        endpoint = await conn.fetchrow(_TAKE, org_id, endpoint_id, job_id, TURN_SECONDS)
        if endpoint is None:
            await release(conn, org_id, endpoint_id, job_id)
            return None
        row = await conn.fetchrow(_OLDEST_DUE, org_id, endpoint_id, job_id, MAX_ATTEMPTS - 1)
        if row is None:
            await release(conn, org_id, endpoint_id, job_id)
            return None
    secrets = tuple(secret for secret in (endpoint["secret"], endpoint["previous_secret"]) if secret is not None)
    return Outgoing(
        row["id"], endpoint_id, row["position"], row["tries"], row["body"], endpoint["url"], endpoint["content_type"],
        endpoint["failed_attempts"], secrets,
    )  # fmt: skip


async def release(conn: Connection, org_id: str, endpoint_id: str, job_id: str) -> None:
    await conn.execute(_RELEASE, org_id, endpoint_id, job_id)


async def clear_rest(conn: Connection, org_id: str, endpoint_id: str) -> None:
    """End the rest of an endpoint: its owner asks for a delivery now."""
    await conn.execute(
        "update webhook_endpoint set hold_until = null where org_id = $1 and id = $2", org_id, endpoint_id
    )
