"""Operations that methods and jobs share: requesting a sync of an account. How often and how fast they run is declared
here.
"""

from __future__ import annotations

from libs.jobs import JobKind, Rate
from libs.postgres import Connection

# One live sync of a provider: a second request returns the same job.
SYNC = JobKind("provider.sync", service="agent", queue="providers", timeout_seconds=600, unique_by=("provider",))
# Providers count requests by account. A sync asks for its pages one after the other, and more than a
# few a minute: a button that is pressed repeatedly must not use up the allowance that the account's running calls need.
SYNC_RATE = Rate(6, 60.0, burst=3)


async def enqueue_sync(conn: Connection, org_id: str, provider: str) -> str:
    return await SYNC.enqueue(conn, org_id, {"provider": provider})
