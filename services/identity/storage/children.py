"""The customers of an agency as rows: read by their parent, locked and written as the customer itself."""

from __future__ import annotations

from libs.errors import NotFound
from libs.ids import is_id
from libs.paging import CursorCodec, ListRules, Page, PageRequest
from libs.postgres import Connection, Database, Record
from libs.postgres.listing import Filter, Listing, fetch_page
from services.identity.domain.people import Organization, OrganizationStatus

from .rows import ORGANIZATION, organization_of

CHILD_LIST = ListRules(sorts={"createdAt": "g.created_at", "name": "g.name"})
_LISTING = Listing(
    ORGANIZATION, "organization g", CHILD_LIST, tie="g.org_id", org="g.parent_id", created="g.created_at"
)
_GET = f"select {ORGANIZATION} from organization g where g.parent_id = o.org and g.org_id = $2"
_LOCK = f"select {ORGANIZATION} from organization g where g.org_id = $2 and g.parent_id = $1 for update"


class Children:
    def __init__(self, database: Database, cursors: CursorCodec) -> None:
        self._database = database
        self._cursors = cursors

    async def page(self, parent_id: str, request: PageRequest, status: OrganizationStatus | None) -> Page[Organization]:
        wanted: list[Filter] = [] if status is None else [("g.status = {}", status.value)]
        page = await fetch_page(self._database, parent_id, _LISTING, request, wanted, self._cursors, ("children",))
        return page.map(organization_of)

    async def get(self, parent_id: str, child_id: str) -> Organization:
        return _found(await self._database.fetchrow(parent_id, _GET, child_id) if is_id(child_id, "org") else None)

    async def lock(self, conn: Connection, parent_id: str, child_id: str) -> Organization:
        """Goes on in this transaction as the child."""
        if not is_id(child_id, "org"):
            raise _missing()
        await conn.enter(child_id)
        return _found(await conn.fetchrow(_LOCK, parent_id, child_id))


def _found(row: Record | None) -> Organization:
    if row is None:
        raise _missing()
    return organization_of(row)


def _missing() -> NotFound:
    return NotFound("organization_not_found", "No such organization.")
