"""SourceService: addresses on the web that entries follow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from echosenseix.knowledge.v1 import knowledge_pb2 as pb
from echosenseix.knowledge.v1 import knowledge_pb2_grpc
from libs.clock import Clock
from libs.errors import InvalidArgument, Violation
from libs.ids import new_id
from libs.postgres import Connection, Database
from libs.postgres.idempotency import run_write
from libs.rpc.context import require_scope
from libs.rpc.messages import Mapper
from libs.rpc.paging import page_info_to_proto, page_request_from_proto
from libs.rpc.versions import require_version
from services.knowledge.domain.entry import Described
from services.knowledge.domain.source import change, check_source, new_source
from services.knowledge.mapping.sources import EDITABLE_SOURCE, KINDS, source_to_proto
from services.knowledge.operations.enqueueing import SOURCE_REFRESH
from services.knowledge.operations.taking import Taking
from services.knowledge.storage.sources import SOURCE_LIST, SourceFilter, Sources

_FILTER = Mapper(SourceFilter, pb.ListSourcesRequest)


class SourceServicer(knowledge_pb2_grpc.SourceServiceServicer):
    """`is_forbidden` says why an address must not be called, None when it may."""

    def __init__(
        self, database: Database, sources: Sources, taking: Taking, clock: Clock,
        is_forbidden: Callable[[str], str | None],
    ) -> None:  # fmt: skip
        self._database = database
        self._sources = sources
        self._taking = taking
        self._clock = clock
        self._is_forbidden = is_forbidden

    async def ListSources(self, request: pb.ListSourcesRequest, context: object) -> pb.ListSourcesResponse:
        org_id = require_scope("knowledge:read").org_id
        wanted = page_request_from_proto(request.page, SOURCE_LIST)
        page = await self._sources.page(org_id, wanted, _FILTER.read(request))
        return pb.ListSourcesResponse(sources=map(source_to_proto, page.items), page_info=page_info_to_proto(page))

    async def GetSource(self, request: pb.GetSourceRequest, context: object) -> pb.GetSourceResponse:
        org_id = require_scope("knowledge:read").org_id
        return pb.GetSourceResponse(source=source_to_proto(await self._sources.get(org_id, request.id)))

    async def CreateSource(self, request: pb.CreateSourceRequest, context: object) -> pb.CreateSourceResponse:
        org_id = require_scope("knowledge:write").org_id
        asked = request.source
        described = Described(asked.title, asked.category, tuple(asked.tags))
        given = new_source(
            org_id, new_id("src"), KINDS[asked.kind], asked.url.strip(), described, asked.refresh_interval_seconds,
            self._clock.now(),
        )  # fmt: skip
        source = check_source(given)
        if self._is_forbidden(source.url) is not None:
            found = [Violation("#/url", "forbidden_address", "The address must be public.")]
            raise InvalidArgument("validation_failed", "Some fields of the source are not valid.", violations=found)

        async def act(conn: Connection) -> pb.CreateSourceResponse:
            await self._database.quotas.admit(conn, org_id, "sources")
            await self._sources.add(conn, source)
            job_id = await SOURCE_REFRESH.enqueue(conn, org_id, {"sourceId": source.id})
            return pb.CreateSourceResponse(source=source_to_proto(source), job_id=job_id)

        return await run_write(self._database, org_id, act, pb.CreateSourceResponse)

    async def UpdateSource(self, request: pb.UpdateSourceRequest, context: object) -> pb.UpdateSourceResponse:
        org_id = require_scope("knowledge:write").org_id
        edit, asked = EDITABLE_SOURCE.read(request.update_mask), request.source

        async def act(conn: Connection) -> pb.UpdateSourceResponse:
            source = await self._sources.lock(conn, org_id, asked.id)
            require_version(request, source.version)
            given = replace(
                source, title=asked.title, category=asked.category, tags=tuple(asked.tags),
                refresh_seconds=asked.refresh_interval_seconds,
            )  # fmt: skip
            changed = change(source, check_source(edit.merge(source, given)), self._clock.now())
            if changed is not source:
                await self._sources.save(conn, changed)
            return pb.UpdateSourceResponse(source=source_to_proto(changed))

        return await run_write(self._database, org_id, act, pb.UpdateSourceResponse)

    async def DeleteSource(self, request: pb.DeleteSourceRequest, context: object) -> pb.DeleteSourceResponse:
        """With the entries of its pages."""
        org_id = require_scope("knowledge:write").org_id

        async def act(conn: Connection) -> pb.DeleteSourceResponse:
            source = await self._sources.lock(conn, org_id, request.id)
            require_version(request, source.version)
            for entry_id in await self._sources.entries(conn, source):
                await self._taking.drop(conn, org_id, entry_id)
            await self._sources.remove(conn, source)
            return pb.DeleteSourceResponse()

        return await run_write(self._database, org_id, act, pb.DeleteSourceResponse)

    async def RefreshSource(self, request: pb.RefreshSourceRequest, context: object) -> pb.RefreshSourceResponse:
        org_id = require_scope("knowledge:write").org_id

        async def act(conn: Connection) -> pb.RefreshSourceResponse:
            source = await self._sources.lock(conn, org_id, request.id)
            job_id = await SOURCE_REFRESH.enqueue(conn, org_id, {"sourceId": source.id})
            return pb.RefreshSourceResponse(job_id=job_id)

        return await run_write(self._database, org_id, act, pb.RefreshSourceResponse)
