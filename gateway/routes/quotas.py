"""The quotas of the caller's organization, of all services in one answer."""

import asyncio

from starlette.responses import Response

from echosenseix.common.v1 import common_pb2 as pb
from gateway.http import responses
from gateway.http.routing import Route, tagged
from gateway.http.schema import NoBody, NoQuery
from gateway.schemas.quotas import Quotas, quotas_from_protos, request_limits_of
from gateway.state import ApiRequest
from suite.services import SERVICES


async def list_quotas(request: ApiRequest[NoQuery, NoBody]) -> Response:
    """Of the services that the caller may read. Each service stores the answers to its own idempotent writes; the
    fullest of these stands for all."""
    stubs = request.app.clients.quotas
    # A service whose area the caller may not read is left out, as in other merged lists.
    readable = [stubs[name] for name, of in SERVICES.items() if request.principal.has_scope(f"{of.area}:read")]
    answers = await asyncio.gather(*(stub.ListQuotas(pb.ListQuotasRequest()) for stub in readable))
    shown = quotas_from_protos(quota for answer in answers for quota in answer.quotas)
    return responses.ok(Quotas(data=shown, request_limits=request_limits_of(request.principal.limit_percent)))


ROUTES = tagged(
    "Organization",
    Route("GET", "/api/quotas", list_quotas, "List the organization's quotas and what is used", answer=Quotas),
)
