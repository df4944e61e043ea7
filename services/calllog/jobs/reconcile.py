"""call.reconcile: ask the provider for conversations whose webhook never came, and ingest them as if it had.

Senders drop deliveries. What is found goes the way of a webhook (envelope row, call.ingest), so a late delivery of the
same conversation meets the same row. The clock of a link moves only when all its pages were read.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from libs.clock import Clock
from libs.errors import InvalidArgument, NotFound, Unauthenticated, Unavailable
from libs.http import OutboundClient
from libs.http.api import RemoteApi
from libs.jobs import Discard, JobContext, enqueue_many
from libs.postgres import Database
from providers.interface.calls import CallSource
from providers.interface.provider import Provider
from providers.registry import PROVIDERS
from services.calllog.operations import RECONCILE, keep_delivery
from services.calllog.storage.calls import Calls
from services.calllog.storage.envelopes import Envelopes
from services.calllog.storage.links import ProviderLinks

from .audio import GetCredentials, open_account

# Providers list conversations by their start, but a conversation is complete at its end: look back further than any
# call lasts.
_OVERLAP = timedelta(hours=24)
# A call that cannot be read is counted and skipped, so that it does not block the others.
_OF_ONE_CALL = ("answer_too_large", "provider_answer_unreadable", "webhook_payload_invalid")


@dataclass(slots=True)
class Found:
    """The result of a run: calls listed, those of them that were missing here, and those of the missing that cannot be
    read."""

    listed: int = 0
    missing: int = 0
    unreadable: int = 0


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

    async def run(self, ctx: JobContext) -> Mapping[str, Any]:
        if not ctx.job.org_id:
            return await self._fan_out(ctx)
        provider = PROVIDERS.get(str(ctx.job.args["provider"]))
        if provider is None or provider.calls is None:
            raise Discard("reconcile_unsupported", "Calls of this provider cannot be listed.")
        try:
            return await self._reconcile(ctx, provider, provider.calls)
        except (NotFound, Unauthenticated) as refused:
            raise Discard(refused.reason, refused.detail) from None

    async def _fan_out(self, ctx: JobContext) -> Mapping[str, Any]:
        listed = {name for name, provider in PROVIDERS.items() if provider.calls is not None}
        links = [link for link in await self.links.active() if link.provider in listed]
        result = {"accounts": len(links)}
        async with ctx.finish(result) as conn:
            await enqueue_many(conn, [RECONCILE.new(link.org_id, {"provider": link.provider}) for link in links])
        return result

    async def _reconcile(self, ctx: JobContext, provider: Provider, source: CallSource) -> Mapping[str, Any]:
        org_id, began = ctx.job.org_id, self.clock.now()
        until = await self.links.reconciled_until(org_id, provider.name)
        since = until - _OVERLAP if until else began - self.first_look_back
        api = provider.open_api(self.client, await open_account(self.get_credentials, org_id, provider.name))
        found, cursor, seen = Found(), "", set[str]()
        while True:
            page = await source.list_ended(api, since, cursor)
            # Where a list continues by time, the next page repeats calls with the same time as the last one.
            fresh = [call_id for call_id in page.ids if call_id not in seen]
            seen.update(fresh)
            found.listed = len(seen)
            await self._ingest_missing(org_id, provider, source, api, fresh, found)
            if not page.next_cursor or page.next_cursor == cursor:
                break
            cursor = page.next_cursor
            await ctx.progress(50, f"{found.listed} conversations listed")
        result = dataclasses.asdict(found)
        async with ctx.finish(result) as conn:
            await self.links.move_to(conn, org_id, provider.name, began)
        return result

    async def _ingest_missing(
        self, org_id: str, provider: Provider, source: CallSource, api: RemoteApi, ids: Sequence[str], found: Found
    ) -> None:
        known = await self.calls.reported_among(org_id, provider.name, ids)
        for call_id in ids:
            if call_id in known:
                continue
            found.missing += 1
            try:
                body = await source.fetch_report(api, call_id)
                envelope = provider.parse_envelope(body)
            except NotFound:
                continue  # erased at the provider since it was listed
            except (InvalidArgument, Unavailable) as error:
                if error.reason not in _OF_ONE_CALL:
                    raise
                found.unreadable += 1
                continue
            async with self.database.transaction(org_id) as conn:
                await keep_delivery(conn, self.envelopes, org_id, envelope, body, "reconcile", self.clock.now())
