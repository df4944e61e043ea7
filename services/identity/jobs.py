"""audit.seal, audit.forget, host.check, and session.sweep: delete what ended long ago."""

from __future__ import annotations

from collections.abc import Mapping

from libs.clock import Clock
from libs.jobs import Handlers, JobContext, JobKind
from services.identity.operations.hosts import HostChecks
from services.identity.storage.account_tokens import AccountTokens
from services.identity.storage.api_keys import ApiKeys
from services.identity.storage.audit import AuditLog
from services.identity.storage.invitations import Invitations
from services.identity.storage.pending import PendingRegistrations
from services.identity.storage.sessions import Sessions
from suite.tables import kept

SWEEP = JobKind("session.sweep", service="identity")
FORGET = JobKind("audit.forget", service="identity")
# Looks at the records of proved hosts; a run may wait for name servers that do not answer.
CHECK_HOSTS = JobKind("host.check", service="identity", timeout_seconds=180)
# Seals what was recorded since the last minute.
SEAL = JobKind("audit.seal", service="identity")


def job_handlers(
    sessions: Sessions,
    api_keys: ApiKeys,
    pending: PendingRegistrations,
    invitations: Invitations,
    tokens: AccountTokens,
    clock: Clock,
    log: AuditLog,
    hosts: HostChecks,
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

    async def check_hosts(ctx: JobContext) -> Mapping[str, int]:
        found = await hosts.look(clock.now())
        async with ctx.finish() as conn:
            return await hosts.keep(conn, found)

    handlers.add(CHECK_HOSTS, check_hosts)
    handlers.cron("host-check", "23 * * * *", CHECK_HOSTS, catch_up="none")
    _audit_handlers(handlers, log, clock)
    return handlers


def _audit_handlers(handlers: Handlers, log: AuditLog, clock: Clock) -> None:
    """Seal each minute, forget each night."""

    async def seal(ctx: JobContext) -> Mapping[str, int]:
        async with ctx.finish() as conn:
            return {"seals": await log.seal(conn, clock.now())}

    async def forget(ctx: JobContext) -> Mapping[str, int]:
        return {"entries": await log.forget(clock.now() - kept("identity", "audit_log"))}

    handlers.add(SEAL, seal)
    handlers.add(FORGET, forget)
    handlers.cron("audit-seal", "* * * * *", SEAL, catch_up="none")
    handlers.cron("audit-forget", "47 3 * * *", FORGET)
