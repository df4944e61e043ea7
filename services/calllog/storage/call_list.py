"""The list of calls with its filters: composite indexes for each filter and order, exact values through facets.

Words are looked up in the index when few calls have them. Of words so common that their matches fill every page that
numbers reach, the list is walked instead and each call asked: that finds a page sooner than collecting all matches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from libs.paging import MAX_PAGED_ROWS, CursorCodec, ListRules, Page, PageRequest
from libs.postgres import Database, Record
from libs.postgres.listing import Filter, Listing, fetch_page
from libs.text import search_words
from libs.untrusted_json import storable
from services.calllog.domain.call_filter import CallFilter
from services.calllog.domain.calls import Call

from .calls import COLUMNS, call_from_row
from .list_rows import CALL_ROW, CallRow, call_row

CALL_LIST = ListRules(
    sorts={"createdAt": "c.created_at", "startedAt": "c.started_at", "durationSeconds": "c.duration_seconds"},
    default_limit=100,
)
_LISTING = Listing(
    COLUMNS, "call c", CALL_LIST, tie="c.id", org="c.org_id", created="c.created_at",
    nullable=frozenset({"startedAt", "durationSeconds"}), may_lag=True,
)  # fmt: skip
_SHOWN = replace(_LISTING, select=CALL_ROW)
_FACET = """exists (select 1 from call_facet f
    where f.org_id = c.org_id and f.kind = '{kind}' and f.value = {{}} and f.call_id = c.id)"""
_MATCHES = "select count(*) from calls_matching($2, $3) where o.org is not null"
# An array is computed once. A subquery of `in` would be run for each call by a plan that was made for few calls.
_AMONG_MATCHES = f"c.id = any(array(select calls_matching({{}}, {MAX_PAGED_ROWS + 1})))"


class CallList:
    def __init__(self, db: Database, cursors: CursorCodec) -> None:
        self._db = db
        self._cursors = cursors

    async def page(self, org_id: str, request: PageRequest, wanted: CallFilter) -> Page[Call]:
        return (await self._page(_LISTING, org_id, request, wanted)).map(call_from_row)

    async def shown_page(self, org_id: str, request: PageRequest, wanted: CallFilter) -> Page[CallRow]:
        """The same page as the API shows it."""
        return (await self._page(_SHOWN, org_id, request, wanted)).map(call_row)

    async def _page(self, listing: Listing, org_id: str, request: PageRequest, wanted: CallFilter) -> Page[Record]:
        conditions = _conditions(wanted)
        words = search_words(storable(wanted.search)).strip()
        if not words:
            return await self._fetch(listing, org_id, request, conditions)
        matches = await self._db.fetchval(org_id, _MATCHES, words, MAX_PAGED_ROWS + 1, may_lag=True)
        if matches <= MAX_PAGED_ROWS:
            return await self._fetch(listing, org_id, request, [*conditions, (_AMONG_MATCHES, words)])
        page = await self._fetch(listing, org_id, request, conditions, [("call_matches(_tie, {})", words)])
        if not request.counts:
            return page
        # What is certain: all that page numbers reach when nothing else is asked, else one more than was seen.
        seen = request.offset + len(page.items) + page.has_more
        total = seen if conditions or not page.has_more else max(seen, matches)
        return replace(page, total=total, total_is_estimate=page.has_more)

    async def _fetch(
        self,
        listing: Listing,
        org_id: str,
        request: PageRequest,
        conditions: list[Filter],
        walked: Sequence[Filter] = (),
    ) -> Page[Record]:
        return await fetch_page(self._db, org_id, listing, request, conditions, self._cursors, walked=walked)


def _conditions(wanted: CallFilter) -> list[Filter]:
    """All filters but the search, as SQL."""
    plain: list[tuple[str, Any]] = [
        ("c.agent_id = {}", storable(wanted.agent_id) or None),
        ("c.agent_version = {}", wanted.agent_version or None),
        ("c.status = {}", wanted.status),
        ("c.direction = {}", wanted.direction),
        ("c.successful = {}", wanted.successful),
        ("c.duration_seconds >= {}", wanted.duration_ge),
        ("c.duration_seconds < {}", wanted.duration_lt),
        ("c.started_at >= {}", wanted.started_at_ge),
        ("c.started_at < {}", wanted.started_at_lt),
        ("c.provider = {}", storable(wanted.provider) or None),
        ("c.external_call_id = {}", storable(wanted.external_call_id) or None),
        ("c.agent_id = any({}::text[])", wanted.agent_ids),
        (_FACET.format(kind="number"), storable(wanted.phone_number) or None),
    ]
    tags: list[Filter] = [(_FACET.format(kind="tag"), storable(tag)) for tag in wanted.tags]
    return [(clause, value) for clause, value in plain if value is not None] + tags
