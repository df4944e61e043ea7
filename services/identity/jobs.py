"""session.sweep: delete sessions, keys and invitations that ended long ago, and registrations whose link expired."""

from __future__ import annotations

from collections.abc import Mapping

from libs.clock import Clock
from libs.jobs import Handlers, JobContext, JobKind
from services.identity.storage.account_tokens import AccountTokens
from services.identity.storage.api_keys import ApiKeys
from services.identity.storage.invitations import Invitations
from services.identity.storage.pending import PendingRegistrations
from services.identity.storage.sessions import Sessions
from suite.tables import kept

SWEEP = JobKind("session.sweep", service="identity")


def job_handlers(
    sessions: Sessions,
    api_keys: ApiKeys,
    pending: PendingRegistrations,
    invitations: Invitations,
    tokens: AccountTokens,
    clock: Clock,
) -> Handlers:
    async def sweep(ctx: JobContext) -> Mapping[str, int]:
        async with ctx.finish() as conn:
            now = clock.now()
            return {
                "sessions": await sessions.sweep(conn, now - kept("identity", "session")),
                "apiKeys": await api_keys.sweep(conn, now - kept("identity", "api_key")),
                "registrations": await pending.sweep(conn, now),
                "accountTokens": await tokens.sweep(conn, now),
                "invitations": await invitations.sweep(conn, now - kept("identity", "invitation")),
            }

    handlers = Handlers()
    handlers.add(SWEEP, sweep)
    handlers.cron("session-sweep", "17 3 * * *", SWEEP)
    return handlers
