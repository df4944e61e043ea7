"""Agents as rows. Reads take an organization and run by themselves; writes take the transaction they belong to."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import asyncpg

from libs.errors import AlreadyExists, NotFound
from libs.events import Event
from libs.events.at_once import write_at_once
from libs.ids import is_id
from libs.paging import CursorCodec, ListRules, Page, PageRequest
from libs.postgres import Connection, Database, Record
from libs.postgres.listing import Listing, fetch_page
from services.agent.domain.agent import Agent
from services.agent.domain.filter import AgentFilter

from .list_rows import AGENT_ROW, AgentRow, agent_row
from .rows import AGENT, AGENT_IN_LIST, WRITTEN, agent_from_row, agent_values, changed_values

AGENT_LIST = ListRules(sorts={"createdAt": "a.created_at", "updatedAt": "a.updated_at", "name": "a.name"})
# The id breaks ties, so that pages neither repeat nor skip rows of equal sort value.
_LISTING = Listing(AGENT_IN_LIST, "agent a", AGENT_LIST, tie="a.id")
_SHOWN = replace(_LISTING, select=AGENT_ROW)

# `o.org` is the organization as the fence set it in the same statement (docs/adr/0017-tenant-fence.md).
_GET = f"select {AGENT} from agent a where a.org_id = o.org and a.id = $2 and a.status <> 'archived'"
_LOCK = f"select {AGENT} from agent a where a.org_id = $1 and a.id = $2 and a.status <> 'archived' for update"
_PLACES = ", ".join(f"${number}" for number in range(1, 1 + len(WRITTEN)))
_INSERT = f"insert into agent ({', '.join(WRITTEN)}) values ({_PLACES})"
_UPDATE = f"update agent set ({', '.join(WRITTEN)}) = ({_PLACES}) where org_id = $1 and id = $2"
_RESOLVE = (
    "select a.id, a.published_version, a.name from agent a "
    "where a.org_id = o.org and a.provider = $2 and a.external_agent_id = $3 "
    "and a.external_agent_id <> '' and a.status <> 'archived'"
)
_RESOLVE_OWN = (
    "select a.id, a.published_version, a.name from agent a "
    "where a.org_id = o.org and a.id = $2 and a.status <> 'archived'"
)
_KNOWN = (
    "select a.external_agent_id from agent a where a.org_id = $1 and a.provider = $2 "
    "and a.external_agent_id = any($3::text[]) and a.external_agent_id <> '' and a.status <> 'archived'"
)


@dataclass(frozen=True, slots=True)
class ResolvedAgent:
    """The agent's data that a provider's webhook needs."""

    id: str
    published_version: int
    name: str


class Agents:
    def __init__(self, database: Database, cursors: CursorCodec) -> None:
        self._database = database
        self._cursors = cursors

    async def get(self, org_id: str, agent_id: str) -> Agent:
        # A text that is no id of an agent costs no statement.
        row = await self._database.fetchrow(org_id, _GET, agent_id) if is_id(agent_id, "agt") else None
        return _found(row)

    async def page(self, org_id: str, request: PageRequest, wanted: AgentFilter) -> Page[Agent]:
        page = await fetch_page(self._database, org_id, _LISTING, request, _conditions(wanted), self._cursors)
        return page.map(agent_from_row)

    async def shown_page(self, org_id: str, request: PageRequest, wanted: AgentFilter) -> Page[AgentRow]:
        """The same page as the API shows it."""
        page = await fetch_page(self._database, org_id, _SHOWN, request, _conditions(wanted), self._cursors)
        return page.map(agent_row)

    async def resolve(self, org_id: str, provider: str, external_agent_id: str) -> ResolvedAgent:
        speakable = "\x00" not in provider + external_agent_id
        row = await self._database.fetchrow(org_id, _RESOLVE, provider, external_agent_id) if speakable else None
        if row is None:
            raise agent_not_found()
        return ResolvedAgent(row["id"], row["published_version"], row["name"])

    async def resolve_own(self, org_id: str, agent_id: str) -> ResolvedAgent:
        row = await self._database.fetchrow(org_id, _RESOLVE_OWN, agent_id) if is_id(agent_id, "agt") else None
        if row is None:
            raise agent_not_found()
        return ResolvedAgent(row["id"], row["published_version"], row["name"])

    async def lock(self, conn: Connection, org_id: str, agent_id: str) -> Agent:
        """The agent, held until the transaction ends: changes of one agent happen one after another."""
        return _found(await conn.fetchrow(_LOCK, org_id, agent_id) if is_id(agent_id, "agt") else None)

    async def known(self, conn: Connection, org_id: str, provider: str, external_ids: Collection[str]) -> set[str]:
        """Which of these provider's ids are tied to an agent already."""
        rows = await conn.fetch(_KNOWN, org_id, provider, list(external_ids))
        # Archived agents do not count: a sync may bring a removed agent back.
        return {row["external_agent_id"] for row in rows}

    async def add(self, conn: Connection, agent: Agent) -> None:
        await _write(conn, _INSERT, agent)

    async def save(self, conn: Connection, agent: Agent) -> None:
        await _write(conn, _UPDATE, agent)

    async def edit(self, before: Agent, after: Agent, event: Event) -> bool:
        """Store an edit with its event in one statement; False when `before` is not the agent's state any more, or
        when it takes a transaction (libs.events.at_once)."""
        changed = changed_values(before, after)
        with _free_external_id():
            return await write_at_once(
                self._database, before.org_id, "save_agent", before.id, before.version, changed, event=event
            )


async def _write(conn: Connection, sql: str, agent: Agent) -> None:
    with _free_external_id():
        await conn.execute(sql, *agent_values(agent))


@contextmanager
def _free_external_id() -> Iterator[None]:
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        # Any other violation is a defect and must show as one.
        if error.constraint_name != "agent_external_key":
            raise
        detail = "Another agent of your organization is tied to that provider's agent id. Untie it first."
        raise AlreadyExists("external_agent_taken", detail) from None


def _conditions(wanted: AgentFilter) -> list[tuple[str, Any]]:
    """SQL conditions, each with the value of its placeholder. The first is spelled as in the partial indexes."""
    found: list[tuple[str, Any]] = [("a.status <> 'archived'", None)]
    if wanted.ids is not None:
        found.append(("a.id = any({}::text[])", wanted.ids))
    if wanted.search.strip():
        found.append(("a.id in (select agent_matching({}))", wanted.search))
    if wanted.tags:
        found.append(("a.id in (select agent_tagged({}))", list(wanted.tags)))
    if wanted.status is not None:
        found.append(("a.status = {}", wanted.status.value))
    if wanted.provider:
        found.append(("a.provider = {}", wanted.provider))
    return found


def _found(row: Record | None) -> Agent:
    if row is None:
        raise agent_not_found()
    return agent_from_row(row)


def agent_not_found() -> NotFound:
    return NotFound("agent_not_found", "No such agent.")
