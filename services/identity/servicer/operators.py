"""OperatorService: what the platform's own organization sets for the others. Each write is in the log of both."""

from __future__ import annotations

from collections.abc import Sequence

from echosenseix.identity.v1 import operators_pb2 as pb
from echosenseix.identity.v1 import operators_pb2_grpc
from libs.context import current_call
from libs.errors import PermissionDenied
from libs.postgres import Connection, Database
from libs.postgres.idempotency import run_write
from libs.rpc.context import require_scope
from libs.rpc.principal import Principal
from services.identity.domain.request_limits import RequestLimits, check_request_limits
from services.identity.storage.request_limits import RequestLimitRows


class OperatorServicer(operators_pb2_grpc.OperatorServiceServicer):
    def __init__(self, database: Database, operators: Sequence[str] | None) -> None:
        """`operators` are the organizations that may; None: the first one alone, of a local suite."""
        self._database = database
        self._limits = RequestLimitRows(database)
        self._operators = operators

    async def CheckOperator(self, request: pb.CheckOperatorRequest, context: object) -> pb.CheckOperatorResponse:
        await self._operator()
        return pb.CheckOperatorResponse()

    async def GetRequestLimits(
        self, request: pb.GetRequestLimitsRequest, context: object
    ) -> pb.GetRequestLimitsResponse:
        await self._operator()
        return pb.GetRequestLimitsResponse(limits=_to_proto(await self._limits.get(request.organization_id)))

    async def PutRequestLimits(
        self, request: pb.PutRequestLimitsRequest, context: object
    ) -> pb.PutRequestLimitsResponse:
        operator, sent = await self._operator(), request.limits
        asked = check_request_limits(RequestLimits(sent.organization_id, sent.percent, sent.reason))

        async def act(conn: Connection) -> pb.PutRequestLimitsResponse:
            known = await self._limits.lock(conn, asked.org_id)
            if known != asked:
                await self._limits.save(conn, asked)
            if (audited := current_call().audited) is not None:
                audited.target_id = audited.also = asked.org_id
            return pb.PutRequestLimitsResponse(limits=_to_proto(asked))

        return await run_write(self._database, operator.org_id, act, pb.PutRequestLimitsResponse)

    async def _operator(self) -> Principal:
        principal, operators = require_scope("*"), self._operators
        if operators is None:
            operators = [await self._limits.first_organization()]
        if not principal.org_id or principal.home_org_id or principal.org_id not in operators:
            raise PermissionDenied("operators_only", "Only the platform's own organization may do this.")
        return principal


def _to_proto(limits: RequestLimits) -> pb.RequestLimits:
    return pb.RequestLimits(organization_id=limits.org_id, percent=limits.percent, reason=limits.reason)
