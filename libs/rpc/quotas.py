"""QuotaService of every service: what the caller's organization has of each quota. Reading needs the scope of the
service's area.
"""

from echosenseix.common.v1 import common_pb2, common_pb2_grpc
from libs.postgres import Database
from libs.rpc.context import require_scope


class QuotaServicer(common_pb2_grpc.QuotaServiceServicer):
    def __init__(self, area: str, database: Database) -> None:
        self._area = area
        self._database = database

    async def ListQuotas(self, request: common_pb2.ListQuotasRequest, context: object) -> common_pb2.ListQuotasResponse:
        org_id = require_scope(f"{self._area}:read").org_id
        async with self._database.transaction(org_id) as conn:
            found = await self._database.quotas.used(conn, org_id)
        quotas = [common_pb2.Quota(name=use.name, limit=use.limit, used=use.used) for use in found]
        return common_pb2.ListQuotasResponse(quotas=quotas)
