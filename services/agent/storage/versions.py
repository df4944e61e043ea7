"""Published versions: written once, never changed (the role has no right to)."""

from __future__ import annotations

from libs.errors import NotFound
from libs.ids import is_id
from libs.paging import CursorCodec, ListRules, Page, PageRequest
from libs.postgres import Connection, Database
from libs.postgres.listing import Listing, fetch_page
from services.agent.domain.agent import AgentVersion

from .rows import configuration_to_json, version_from_row

VERSION_LIST = ListRules(sorts={"createdAt": "v.created_at", "version": "v.number"})
_SHARED = "v.org_id, v.id, v.agent_id, v.number, v.description, v.created_by, v.created_at"
# Lists carry no configuration: a page of prompts would be megabytes.
_LISTING = Listing(f"{_SHARED}, null::text as configuration", "agent_version v", VERSION_LIST, tie="v.id")

# The join hides versions of an archived agent, which is gone for its owner.
_GET = (
    f"select {_SHARED}, v.configuration::text as configuration from agent_version v "
    "join agent a on a.org_id = v.org_id and a.id = v.agent_id and a.status <> 'archived' "
    "where v.org_id = o.org and v.agent_id = $2 and v.number = $3"
)
_INSERT = (
    "insert into agent_version (org_id, id, agent_id, number, description, configuration, created_by, created_at) "
    "values ($1, $2, $3, $4, $5, $6::text::jsonb, $7, $8)"
)


class Versions:
    def __init__(self, database: Database, cursors: CursorCodec) -> None:
        self._database = database
        self._cursors = cursors

    async def get(self, org_id: str, agent_id: str, number: int) -> AgentVersion:
        row = await self._database.fetchrow(org_id, _GET, agent_id, number) if is_id(agent_id, "agt") else None
        if row is None:
            raise version_not_found()
        return version_from_row(row)

    async def page(self, org_id: str, agent_id: str, request: PageRequest) -> Page[AgentVersion]:
        page = await fetch_page(
            self._database, org_id, _LISTING, request, [("v.agent_id = {}", agent_id)], self._cursors,
            ("agent_versions", agent_id),
        )  # fmt: skip
        return page.map(version_from_row)

    async def add(self, conn: Connection, version: AgentVersion) -> None:
        if version.configuration is None:
            raise ValueError("a version without its configuration cannot be stored")
        await conn.execute(
            _INSERT, version.org_id, version.id, version.agent_id, version.number, version.description,
            configuration_to_json(version.configuration), version.created_by, version.created_at,
        )  # fmt: skip


def version_not_found() -> NotFound:
    return NotFound("agent_version_not_found", "No such version of an agent.")
