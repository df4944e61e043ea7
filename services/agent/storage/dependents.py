"""Which agents speak from a knowledge entry: by their draft, or by the version that is published."""

from __future__ import annotations

from libs.ids import is_id
from libs.paging import CursorCodec, ListRules, Page, PageRequest
from libs.postgres import Database, Record
from libs.postgres.listing import Listing, fetch_page
from services.agent.domain.agent import AgentStatus, Dependent

DEPENDENT_LIST = ListRules(sorts={"createdAt": "a.created_at", "name": "a.name"})
_LISTING = Listing(
    "a.id, a.name, a.status, a.created_at, a.knowledge_entry_ids, a.published_version, "
    "coalesce(v.configuration ->> 'knowledge_entry_ids', '') as published_ids",
    # An organization has few agents (its quota), so its rows are filtered without an index.
    "agent a left join agent_version v "
    "on v.org_id = a.org_id and v.agent_id = a.id and v.number = a.published_version",
    DEPENDENT_LIST, tie="a.id", org="a.org_id", created="a.created_at",
)  # fmt: skip
_NAMES = (
    "{} = any (a.knowledge_entry_ids || array(select jsonb_array_elements_text("
    "coalesce(v.configuration -> 'knowledge_entry_ids', '[]'::jsonb))))"
)


class Dependents:
    def __init__(self, database: Database, cursors: CursorCodec) -> None:
        self._database = database
        self._cursors = cursors

    async def page(self, org_id: str, entry_id: str, request: PageRequest) -> Page[Dependent]:
        filters = [("a.status <> 'archived'", None), (_NAMES, entry_id if is_id(entry_id, "kbe") else "")]
        page = await fetch_page(self._database, org_id, _LISTING, request, filters, self._cursors, ("dependents",))
        return page.map(lambda row: _dependent(row, entry_id))


def _dependent(row: Record, entry_id: str) -> Dependent:
    return Dependent(
        agent_id=row["id"],
        name=row["name"],
        status=AgentStatus(row["status"]),
        in_draft=entry_id in row["knowledge_entry_ids"],
        published_version=row["published_version"] if entry_id in row["published_ids"] else 0,
    )
