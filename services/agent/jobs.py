"""provider.sync: import every agent of an organization's account at a provider.

Page by page, each page in one transaction with the cursor it reached, so that a run after a crash continues there and a
second run adds nothing. Agents whose external id is known stay unchanged; none is deleted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from libs.clock import Clock
from libs.errors import Aborted, AppError, NotFound, Unauthenticated
from libs.events.outbox import append
from libs.http import OutboundClient
from libs.ids import new_id
from libs.jobs import Discard, Handlers, JobContext, Snooze
from libs.postgres import Database
from providers.interface.agents import RemoteAgent, RemotePage
from providers.registry import PROVIDERS
from services.agent.domain import agent as agents
from services.agent.domain.content import AgentConfiguration, AgentContent
from services.agent.domain.integration import IntegrationStatus
from services.agent.domain.validation import MAX_DURATION_SECONDS, NAME_MAX, SHORT_MAX, TAG_MAX, TAGS_MAX
from services.agent.mapping.events import agent_event, integration_event
from services.agent.operations import SYNC, SYNC_RATE
from services.agent.storage.agents import Agents
from services.agent.storage.integrations import Integrations, OpenIntegration
from services.agent.storage.syncs import Syncs

# Seconds before a sync is tried again while another holds the account's lease.
BUSY_SECONDS = 15.0
# One page of the account's agents, by the cursor of the previous page.
ListPage = Callable[[str], Awaitable[RemotePage]]


def job_handlers(
    database: Database, stored: Agents, integrations: Integrations, client: OutboundClient, clock: Clock
) -> Handlers:
    handlers = Handlers()
    sync = ProviderSync(database, stored, integrations, Syncs(), client, clock)
    handlers.add(SYNC, sync.run)
    handlers.queue(SYNC.queue, max_running_per_org=2, rate_per_org=SYNC_RATE)
    # Where releases before this queue put their syncs.
    handlers.queue("default", max_running_per_org=2)
    return handlers


@dataclass(frozen=True, slots=True)
class ProviderSync:
    database: Database
    agents: Agents
    integrations: Integrations
    syncs: Syncs
    client: OutboundClient
    clock: Clock

    async def run(self, ctx: JobContext) -> Mapping[str, int]:
        org_id, provider = ctx.job.org_id, str(ctx.job.args["provider"])
        known = PROVIDERS.get(provider)
        # Before the key is decrypted: an unsupported provider needs no secret.
        if known is None or known.list_agents is None:
            raise Discard("sync_unsupported", "This provider cannot be synced.")
        # Not the attempt's number: a stall charges no attempt, so a paused worker and its replacement would have the
        # same one.
        lease = f"{ctx.job.id}/{ctx.job.token}"
        try:
            opened = await self.integrations.open(org_id, provider)
        except NotFound:
            raise Discard("integration_not_found", "The integration was removed.") from None
        cursor = await self._take(org_id, provider, lease)
        list_page = partial(known.list_agents, known.open_api(self.client, opened.credentials))
        try:
            return await self._pages(ctx, list_page, opened, lease, cursor)
        except Unauthenticated as refused:
            await self._fail(opened, lease, refused)
            # A key that the provider refuses stays refused; a retry could lock the account there.
            raise Discard(refused.reason, refused.detail) from None
        # Another worker holds the lease: it must not be marked failed or released from here.
        except Aborted:
            raise
        except AppError as failed:
            if ctx.job.attempt >= ctx.job.max_attempts:
                await self._fail(opened, lease, failed)
            else:
                await self._let_go(opened, lease)
            raise

    async def _take(self, org_id: str, provider: str, lease: str) -> str:
        async with self.database.transaction(org_id) as conn:
            cursor = await self.syncs.take(conn, org_id, provider, lease, self.clock.now())
        if cursor is None:
            raise Snooze(BUSY_SECONDS, "another_sync_is_running")
        return cursor

    async def _pages(
        self, ctx: JobContext, list_page: ListPage, opened: OpenIntegration, lease: str, cursor: str
    ) -> Mapping[str, int]:
        org_id, provider = opened.integration.org_id, opened.integration.provider
        added = 0
        while True:
            page = await list_page(cursor)
            added += await self._add_page(opened, lease, page)
            # A provider that repeats its cursor would make an endless job.
            if not page.next_cursor or page.next_cursor == cursor:
                break
            cursor = page.next_cursor
            # Providers do not say how many agents there are, so the share is unknown.
            await ctx.progress(50, f"{added} agents added")
        result = {"added": added}
        async with ctx.finish(result) as conn:
            now = self.clock.now()
            version = await self.syncs.finish(conn, org_id, provider, lease, now)
            synced = replace(opened.integration, status=IntegrationStatus.CONNECTED, version=version)
            await append(conn, integration_event("integration.synced", synced))
        return result

    async def _add_page(self, opened: OpenIntegration, lease: str, page: RemotePage) -> int:
        org_id, provider = opened.integration.org_id, opened.integration.provider
        async with self.database.transaction(org_id) as conn:
            await self.syncs.save(conn, org_id, provider, lease, page.next_cursor, self.clock.now())
            known = await self.agents.known(conn, org_id, provider, [remote.id for remote in page.agents])
            # One page may name an agent twice; the unique index would refuse the whole page.
            fresh = {remote.id: remote for remote in page.agents if remote.id and remote.id not in known}
            # The quota counts what is added, not what was known.
            if fresh:
                await self.database.quotas.admit(conn, org_id, "agents", adding=len(fresh))
            for remote in fresh.values():
                agent = agents.create(new_id("agt"), org_id, _content(provider, remote), self.clock.now())
                await self.agents.add(conn, agent)
                await append(conn, agent_event("agent.created", agent))
        return len(fresh)

    async def _fail(self, opened: OpenIntegration, lease: str, error: AppError) -> None:
        org_id, provider = opened.integration.org_id, opened.integration.provider
        async with self.database.transaction(org_id) as conn:
            version = await self.syncs.fail(conn, org_id, provider, lease, error.detail, self.clock.now())
            failed = replace(opened.integration, status=IntegrationStatus.FAILING, version=version)
            await append(conn, integration_event("integration.failed", failed))

    async def _let_go(self, opened: OpenIntegration, lease: str) -> None:
        async with self.database.transaction(opened.integration.org_id) as conn:
            await self.syncs.release(conn, opened.integration.org_id, opened.integration.provider, lease)


def _content(provider: str, remote: RemoteAgent) -> AgentContent:
    """An agent from the provider's list, cut to our limits, because a long name must not fail a sync."""
    shortest, longest = MAX_DURATION_SECONDS
    given = remote.max_duration_seconds
    seconds = None if given is None else min(max(given, shortest), longest)
    tags = tuple(tag for tag in (tag.strip()[:TAG_MAX] for tag in remote.tags) if tag)[:TAGS_MAX]
    return AgentContent(
        name=remote.name.strip()[:NAME_MAX] or "Unnamed agent",
        tags=tags,
        provider=provider,
        external_agent_id=remote.id,
        configuration=AgentConfiguration(voice_id=remote.voice_id[:SHORT_MAX], max_duration_seconds=seconds),
    )
