"""The progress of a provider's sync: who holds it, and the cursor it has reached.

The lease belongs to one organization and provider and guards against a worker that was paused: every page is saved
only by its holder.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from libs.errors import Aborted
from libs.postgres import Connection
from services.agent.domain.integration import IntegrationStatus

# How long a holder may take for a page. A dead holder blocks the account for this long.
LEASE = timedelta(seconds=60)


class Syncs:
    async def take(self, conn: Connection, org_id: str, provider: str, token: str, now: datetime) -> str | None:
        """The cursor to continue from, or None while another worker holds the lease. The token is "<job>/<its claim's
        fence>": a later claim of the same job takes over at once, and the earlier claim can save nothing more."""
        row = await conn.fetchrow(
            "update integration i set sync_lease_token = $3, sync_lease_until = $4 "
            "where i.org_id = $1 and i.provider = $2 "
            "and (i.sync_lease_until is null or i.sync_lease_until <= $5 or starts_with(i.sync_lease_token, $6)) "
            "returning i.sync_cursor",
            org_id, provider, token, now + LEASE, now, token.rpartition("/")[0] + "/",
        )  # fmt: skip
        return None if row is None else str(row["sync_cursor"])

    async def save(self, conn: Connection, org_id: str, provider: str, token: str, cursor: str, now: datetime) -> None:
        """Save the cursor and renew the lease; raises when another worker holds it."""
        await self._held(
            conn,
            "update integration i set sync_cursor = $4, sync_lease_until = $5 "
            "where i.org_id = $1 and i.provider = $2 and i.sync_lease_token = $3 returning i.version",
            org_id, provider, token, cursor, now + LEASE,
        )  # fmt: skip

    async def finish(self, conn: Connection, org_id: str, provider: str, token: str, now: datetime) -> int:
        """All pages are read: delete cursor and lease. Returns the integration's new version."""
        return await self._held(
            conn,
            "update integration i set sync_cursor = '', sync_lease_token = '', sync_lease_until = null, status = $4, "
            "last_sync_at = $5, last_sync_error = '', version = i.version + 1, updated_at = $5 "
            "where i.org_id = $1 and i.provider = $2 and i.sync_lease_token = $3 returning i.version",
            org_id, provider, token, IntegrationStatus.CONNECTED.value, now,
        )  # fmt: skip

    async def fail(self, conn: Connection, org_id: str, provider: str, token: str, error: str, now: datetime) -> int:
        """Keep the cursor for the next try, release the lease, and record the reason."""
        return await self._held(
            conn,
            "update integration i set sync_lease_token = '', sync_lease_until = null, status = $4, "
            "last_sync_error = $5, version = i.version + 1, updated_at = $6 "
            "where i.org_id = $1 and i.provider = $2 and i.sync_lease_token = $3 returning i.version",
            org_id, provider, token, IntegrationStatus.FAILING.value, error, now,
        )  # fmt: skip

    async def release(self, conn: Connection, org_id: str, provider: str, token: str) -> None:
        """Release the lease without a result: the next try continues from the saved cursor."""
        await conn.execute(
            "update integration i set sync_lease_token = '', sync_lease_until = null "
            "where i.org_id = $1 and i.provider = $2 and i.sync_lease_token = $3",
            org_id, provider, token,
        )  # fmt: skip

    async def _held(self, conn: Connection, sql: str, *args: object) -> int:
        version = await conn.fetchval(sql, *args)
        if version is None:
            # The job runs again by its retry policy and continues from the other worker's cursor.
            raise Aborted("sync_lease_lost", "Another worker took over the sync.")
        return int(version)
