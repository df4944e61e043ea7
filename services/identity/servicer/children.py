"""ChildService: an agency's customers. Each write is in the log of both organizations."""

from __future__ import annotations

from dataclasses import replace

from echosenseix.identity.v1 import children_pb2 as pb
from echosenseix.identity.v1 import children_pb2_grpc
from libs.context import current_call
from libs.events.outbox import append
from libs.ids import new_id
from libs.postgres import Connection
from libs.postgres.idempotency import run_write
from libs.rpc.context import require_scope
from libs.rpc.masks import Editable
from libs.rpc.paging import page_info_to_proto, page_request_from_proto
from libs.rpc.principal import Principal
from libs.rpc.versions import require_version
from services.identity.domain.children import edit_child, new_child, require_parent
from services.identity.domain.people import Organization, OrganizationStatus
from services.identity.mapping.events import organization_event
from services.identity.mapping.people import organization_to_proto, status_from_proto
from services.identity.storage.children import CHILD_LIST
from suite.services import ORGANIZATIONS

from .parts import Parts

EDITABLE: Editable[Organization] = Editable({"name": "name", "time_zone": "time_zone", "status": "status"})


class ChildServicer(children_pb2_grpc.ChildServiceServicer):
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def CreateChild(self, request: pb.CreateChildRequest, context: object) -> pb.CreateChildResponse:
        parent_id, parts = _parent("write", request.parent_id).org_id, self._parts

        async def act(conn: Connection) -> pb.CreateChildResponse:
            parent, now = await parts.people.lock_organization(conn, parent_id), parts.clock.now()
            child = new_child(parent, new_id("org"), request.name, request.time_zone, now)
            await parts.database.quotas.admit(conn, parent_id, "children", "archived_children")
            await parts.people.add_organization(conn, child)
            await append(conn, organization_event("org.created", child))
            _log_in_both(child)
            return pb.CreateChildResponse(child=organization_to_proto(child))

        return await run_write(parts.database, parent_id, act, pb.CreateChildResponse)

    async def GetChild(self, request: pb.GetChildRequest, context: object) -> pb.GetChildResponse:
        principal = _parent("read", request.parent_id)
        child = await self._parts.children.get(principal.org_id, request.id)
        return pb.GetChildResponse(child=organization_to_proto(child))

    async def ListChildren(self, request: pb.ListChildrenRequest, context: object) -> pb.ListChildrenResponse:
        principal = _parent("read", request.parent_id)
        wanted, status = page_request_from_proto(request.page, CHILD_LIST), status_from_proto(request.status)
        page = await self._parts.children.page(principal.org_id, wanted, status)
        return pb.ListChildrenResponse(
            children=map(organization_to_proto, page.items), page_info=page_info_to_proto(page)
        )

    async def UpdateChild(self, request: pb.UpdateChildRequest, context: object) -> pb.UpdateChildResponse:
        parent_id, parts, asked = _parent("write", request.parent_id).org_id, self._parts, request.child
        edit = EDITABLE.read(request.update_mask)

        async def act(conn: Connection) -> pb.UpdateChildResponse:
            child = await parts.children.lock(conn, parent_id, asked.id)
            require_version(request, child.version)
            status = status_from_proto(asked.status) or child.status
            given = replace(child, name=asked.name, time_zone=asked.time_zone, status=status)
            edited = edit_child(child, edit.merge(child, given), parts.clock.now())
            await self._save(conn, child, edited)
            return pb.UpdateChildResponse(child=organization_to_proto(edited))

        return await run_write(parts.database, parent_id, act, pb.UpdateChildResponse)

    async def ArchiveChild(self, request: pb.ArchiveChildRequest, context: object) -> pb.ArchiveChildResponse:
        parent_id, parts = _parent("write", request.parent_id).org_id, self._parts

        async def act(conn: Connection) -> pb.ArchiveChildResponse:
            child = await parts.children.lock(conn, parent_id, request.id)
            require_version(request, child.version)
            if child.status is not OrganizationStatus.ARCHIVED:
                now, version = parts.clock.now(), child.version + 1
                archived = replace(child, status=OrganizationStatus.ARCHIVED, updated_at=now, version=version)
                await self._save(conn, child, archived)
            return pb.ArchiveChildResponse()

        return await run_write(parts.database, parent_id, act, pb.ArchiveChildResponse)

    async def _save(self, conn: Connection, child: Organization, edited: Organization) -> None:
        if edited is not child:
            await self._parts.people.save_organization(conn, edited)
            closed = edited.status is not child.status and edited.status is not OrganizationStatus.ACTIVE
            await append(conn, organization_event("org.updated", edited, access_changed=closed))
        _log_in_both(child)


def _parent(right: str, parent_id: str) -> Principal:
    """The caller, for whom the parent of the path must be its own organization."""
    principal = require_scope(f"{ORGANIZATIONS}:{right}")
    require_parent(parent_id, principal.org_id)
    return principal


def _log_in_both(child: Organization) -> None:
    """The write is an act of the parent, whose log has it anyway, on the child, whose log has it too."""
    if (audited := current_call().audited) is not None:
        audited.target_id = audited.also = child.id
