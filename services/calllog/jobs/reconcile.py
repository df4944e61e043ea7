"""call.reconcile: ask the provider for conversations whose webhook never came, and ingest them as if it had.

Senders drop deliveries. What is found goes the way of a webhook (envelope row, call.ingest), so a late delivery of the
same conversation meets the same row. The clock of a link moves only when all its pages were read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from libs.clock import Clock
from libs.errors import NotFound, ResourceExhausted, Unauthenticated
from libs.http import OutboundClient
from libs.jobs import Discard, JobContext, NewJob, RetryAfter, enqueue_many
from libs.postgres import Database
from services.calllog.domain import elevenlabs
from services.calllog.domain.elevenlabs import wrap_conversation
from services.calllog.domain.readers import parse_envelope
from services.calllog.operations import RECONCILE, RECONCILE_POLICY, SERVICE, keep_delivery
from services.calllog.providers.elevenlabs import Account, Conversations, fetch_conversation, list_conversations
from services.calllog.storage.calls import Calls
from services.calllog.storage.envelopes import Envelopes
from services.calllog.storage.links import ProviderLinks

from .audio import GetCredentials, open_account

# A conversation is listed by its start and known by its end: look back further than any call lasts.
_OVERLAP = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Reconciliation:
    database: Database
    envelopes: Envelopes
    calls: Calls
    links: ProviderLinks
    get_credentials: GetCredentials
    client: OutboundClient
    clock: Clock
    first_look_back: timedelta

    async def run(self, job: JobContext) -> Mapping[str, Any]:
        if not job.job.org_id:
            return await self._fan_out(job)
        try:
            return await self._reconcile(job, str(job.job.args["provider"]))
        except ResourceExhausted as slow:
            raise RetryAfter(slow.retry_after or 30.0, slow.reason, slow.detail) from None
        except (NotFound, Unauthenticated) as refused:
            raise Discard(refused.reason, refused.detail) from None

    async def _fan_out(self, job: JobContext) -> Mapping[str, Any]:
        links = [link for link in await self.links.active() if link.provider == elevenlabs.PROVIDER]
        result = {"accounts": len(links)}
        async with job.finish(result) as conn:
            jobs = [
                NewJob(
                    RECONCILE,
                    link.org_id,
                    {"provider": link.provider},
                    RECONCILE_POLICY.queue,
                    unique_key=link.provider,
                    max_attempts=RECONCILE_POLICY.max_attempts,
                )
                for link in links
            ]
            await enqueue_many(conn, SERVICE, jobs)
        return result

    async def _reconcile(self, job: JobContext, provider: str) -> Mapping[str, Any]:
        org_id, began = job.job.org_id, self.clock.now()
        until = await self.links.reconciled_until(org_id, provider)
        since = until - _OVERLAP if until else began - self.first_look_back
        account = await open_account(self.get_credentials, org_id, provider)
        result, cursor = {"listed": 0, "missing": 0}, ""
        while True:
            page = await list_conversations(self.client, account, since, cursor)
            result["listed"] += len(page.ended_ids)
            result["missing"] += await self._ingest_missing(org_id, provider, account, page)
            if not page.next_cursor or page.next_cursor == cursor:
                break
            cursor = page.next_cursor
            await job.progress(50, f"{result['listed']} conversations listed")
        async with job.finish(result) as conn:
            await self.links.move_to(conn, org_id, provider, began)
        return result

    async def _ingest_missing(self, org_id: str, provider: str, account: Account, page: Conversations) -> int:
        known = await self.calls.ended_among(org_id, provider, page.ended_ids)
        missing = [conversation for conversation in page.ended_ids if conversation not in known]
        for conversation in missing:
            try:
                body = wrap_conversation(await fetch_conversation(self.client, account, conversation))
            except NotFound:
                continue  # erased at the provider since it was listed
            envelope = parse_envelope(provider, body)
            async with self.database.transaction(org_id) as conn:
                await keep_delivery(conn, self.envelopes, org_id, envelope, body, "reconcile", self.clock.now())
        return len(missing)
