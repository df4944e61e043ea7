"""The access rule of jobs, queues and dead letters.

A caller sees and changes what belongs to its own organization. A service principal that acts for no organization
(operators' tools) sees and changes everything. It must not know what is seen.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from google.protobuf.message import Message

from libs.paging import CursorCodec
from libs.postgres import Connection, Database
from libs.postgres.idempotency import run_write
from libs.rpc.context import current_principal, require_scope, require_service

M = TypeVar("M", bound=Message)


class BackgroundAccess:
    """The rule, for the methods that a servicer composes of it."""

    def __init__(self, service: str, area: str, db: Database, codec: CursorCodec) -> None:
        """`area` names the scopes `<area>:read` and `<area>:write`: those of the things that the jobs work on."""
        self._service = service
        self._db = db
        self._codec = codec
        self._area = area

    def _seen(self, right: str) -> str | None:
        """The organization whose jobs and events the caller may see; None means all."""
        principal = current_principal()
        if not principal.org_id:
            require_service()
            return None
        if principal.role != "service":
            require_scope(f"{self._area}:{right}")
        return principal.org_id

    async def _write(self, org_id: str | None, act: Callable[[Connection], Awaitable[M]], response_type: type[M]) -> M:
        if org_id is not None:
            return await run_write(self._db, org_id, act, response_type)
        async with self._db.system_transaction() as conn:
            return await act(conn)
