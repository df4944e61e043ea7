"""Acts that several doors share: asking for a sync of an account. How often and how fast they run is declared here."""

from __future__ import annotations

from libs.jobs import JobPolicy, Rate, enqueue
from libs.postgres import Connection

SYNC = "provider.sync"
SYNC_POLICY = JobPolicy(queue="providers", timeout_seconds=600)
# Providers count requests by account. A sync asks for its pages one after the other, and nobody gains by more than a
# few a minute: a button pressed again and again must not eat the allowance that the account's running calls need.
SYNC_RATE = Rate(6, 60.0, burst=3)


async def enqueue_sync(conn: Connection, org_id: str, provider: str) -> str:
    """One live sync a provider: asking twice answers the same job."""
    return await enqueue(
        conn, service="agent", kind=SYNC, queue=SYNC_POLICY.queue, max_attempts=SYNC_POLICY.max_attempts,
        args={"provider": provider}, org_id=org_id, unique_key=provider,
    )  # fmt: skip
