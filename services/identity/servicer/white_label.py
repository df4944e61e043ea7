"""WhiteLabelService: the settings of an organization, its hosts, and what strangers see of them."""

from __future__ import annotations

import re
from dataclasses import replace

from echosenseix.identity.v1 import white_label_pb2 as pb
from echosenseix.identity.v1 import white_label_pb2_grpc
from libs.crypto import random_token
from libs.errors import FailedPrecondition, InvalidArgument, NotFound
from libs.ids import new_id
from libs.postgres import Connection
from libs.postgres.idempotency import run_write, stored_answer
from libs.rpc.context import require_scope
from libs.rpc.masks import Editable
from libs.rpc.paging import page_info_to_proto, page_request_from_proto
from libs.rpc.versions import require_version
from services.identity.domain.white_label import Host, WhiteLabel, edit_white_label
from services.identity.host_proofs import HostProofs, read_host
from services.identity.logos import read_logo
from services.identity.mapping.white_label import host_to_proto, white_label_from_proto, white_label_to_proto
from services.identity.storage.white_labels import HOST_LIST

from .parts import Parts, only_the_gateway

_FIELDS = (
    "product_name", "primary_color", "primary_text_color", "background_color", "text_color", "support_email",
    "support_url",
)  # fmt: skip
EDITABLE: Editable[WhiteLabel] = Editable({**{name: name for name in _FIELDS}, "logo": "logo_digest"})
_DIGEST = re.compile(r"[0-9a-f]{64}")


class WhiteLabelServicer(white_label_pb2_grpc.WhiteLabelServiceServicer):
    def __init__(self, parts: Parts, proofs: HostProofs) -> None:
        self._parts = parts
        self._labels = parts.labels
        self._proofs = proofs

    async def GetWhiteLabel(self, request: pb.GetWhiteLabelRequest, context: object) -> pb.GetWhiteLabelResponse:
        settings = await self._labels.get(require_scope("members:read").org_id)
        return pb.GetWhiteLabelResponse(white_label=white_label_to_proto(settings))

    async def UpdateWhiteLabel(
        self, request: pb.UpdateWhiteLabelRequest, context: object
    ) -> pb.UpdateWhiteLabelResponse:
        org_id, parts = require_scope("members:write").org_id, self._parts
        edit, with_logo = EDITABLE.read(request.update_mask), "logo" in request.update_mask.paths
        logo = read_logo(request.logo) if with_logo and request.logo else None
        asked = replace(white_label_from_proto(request.white_label), logo_digest=logo.digest if logo else "")

        async def act(conn: Connection) -> pb.UpdateWhiteLabelResponse:
            await parts.people.lock_organization(conn, org_id)
            known = await self._labels.lock(conn, org_id)
            require_version(request, known.version)
            edited = edit_white_label(known, edit.merge(known, asked), parts.clock.now())
            if edited is not known:
                await self._labels.save(conn, org_id, edited, logo, whole=with_logo)
            return pb.UpdateWhiteLabelResponse(white_label=white_label_to_proto(edited))

        return await run_write(parts.database, org_id, act, pb.UpdateWhiteLabelResponse)

    async def ListHosts(self, request: pb.ListHostsRequest, context: object) -> pb.ListHostsResponse:
        principal = require_scope("members:read")
        page = await self._labels.hosts(principal.org_id, page_request_from_proto(request.page, HOST_LIST))
        return pb.ListHostsResponse(hosts=map(host_to_proto, page.items), page_info=page_info_to_proto(page))

    async def AddHost(self, request: pb.AddHostRequest, context: object) -> pb.AddHostResponse:
        org_id, parts = require_scope("members:write").org_id, self._parts
        host = Host(new_id("wlh"), org_id, read_host(request.host), random_token(), parts.clock.now())

        async def act(conn: Connection) -> pb.AddHostResponse:
            await parts.database.quotas.admit(conn, org_id, "white_label_hosts")
            await self._labels.add_host(conn, host)
            return pb.AddHostResponse(host=host_to_proto(host))

        return await run_write(parts.database, org_id, act, pb.AddHostResponse)

    async def VerifyHost(self, request: pb.VerifyHostRequest, context: object) -> pb.VerifyHostResponse:
        """The record is looked up before the transaction, which must not wait for strangers' servers; a repeated
        request asks none of them."""
        org_id, parts = require_scope("members:write").org_id, self._parts
        if (stored := await stored_answer(parts.database, org_id, pb.VerifyHostResponse)) is not None:
            return stored
        host, now = await self._labels.host(org_id, request.id), parts.clock.now()
        told = await self._proofs.find(host.record_name)
        if host.proof not in told:
            raise FailedPrecondition("host_unproved", f"Set the TXT record {host.record_name}, then verify again.")
        holder = await self._labels.holder(host.host)

        async def act(conn: Connection) -> pb.VerifyHostResponse:
            if holder is not None and holder.org_id != org_id and holder.proof not in told:
                await self._labels.release(conn, holder)
                await conn.enter(org_id)
            await self._labels.verify(conn, host, now)
            proved = replace(host, verified_at=host.verified_at or now, checked_at=now, missing_since=None)
            return pb.VerifyHostResponse(host=host_to_proto(proved))

        return await run_write(parts.database, org_id, act, pb.VerifyHostResponse)

    async def RemoveHost(self, request: pb.RemoveHostRequest, context: object) -> pb.RemoveHostResponse:
        org_id = require_scope("members:write").org_id

        async def act(conn: Connection) -> pb.RemoveHostResponse:
            await self._labels.remove_host(conn, org_id, request.id)
            return pb.RemoveHostResponse()

        return await run_write(self._parts.database, org_id, act, pb.RemoveHostResponse)

    async def GetPublicWhiteLabel(
        self, request: pb.GetPublicWhiteLabelRequest, context: object
    ) -> pb.GetPublicWhiteLabelResponse:
        """The same answer for a host that is unknown, waits for its proof or is none at all."""
        only_the_gateway()
        try:
            settings = await self._labels.of_host(read_host(request.host))
        except InvalidArgument:
            settings = WhiteLabel()
        return pb.GetPublicWhiteLabelResponse(white_label=white_label_to_proto(settings))

    async def GetLogo(self, request: pb.GetLogoRequest, context: object) -> pb.GetLogoResponse:
        only_the_gateway()
        logo = await self._labels.logo(request.digest) if _DIGEST.fullmatch(request.digest) else None
        if logo is None:
            raise NotFound("logo_not_found", "No such logo.")
        return pb.GetLogoResponse(media_type=logo.media_type, content=logo.content)
