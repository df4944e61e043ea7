"""Driving webhook endpoints in tests: the calls a customer makes, as one organization's principal."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from echosenseix.realtime.v1 import realtime_pb2 as pb
from libs.context import CallContext
from libs.rpc.context import serving
from libs.rpc.principal import Principal
from services.realtime.servicer import WebhookEndpointServicer

ALLOW = ("127.0.0.1:1-65535",)


@contextlib.contextmanager
def caller(org_id: str, key: str = "", scopes: tuple[str, ...] = ("*",)) -> Iterator[None]:
    principal = Principal(org_id=org_id, user_id="usr_1", scopes=frozenset(scopes), issuer="gateway")
    with serving(CallContext(idempotency_key=key, idempotency_fingerprint=key), principal):
        yield


@dataclass(frozen=True)
class Endpoints:
    """The servicer, beside which a worker of the service runs."""

    servicer: WebhookEndpointServicer

    async def create(
        self, org_id: str, url: str, types: tuple[str, ...] = ("call.ended",), key: str = "", content_type: str = ""
    ) -> pb.CreateWebhookEndpointResponse:
        request = pb.CreateWebhookEndpointRequest(
            endpoint=pb.WebhookEndpoint(url=url, event_types=types, content_type=content_type)
        )
        with caller(org_id, key):
            return await self.servicer.CreateWebhookEndpoint(request, None)

    async def get(self, org_id: str, endpoint_id: str) -> pb.WebhookEndpoint:
        with caller(org_id):
            return (await self.servicer.GetWebhookEndpoint(pb.GetWebhookEndpointRequest(id=endpoint_id), None)).endpoint

    async def change(self, org_id: str, endpoint_id: str, **fields: Any) -> pb.WebhookEndpoint:
        request = pb.UpdateWebhookEndpointRequest(endpoint=pb.WebhookEndpoint(id=endpoint_id, **fields))
        request.update_mask.paths.extend(fields)
        with caller(org_id):
            return (await self.servicer.UpdateWebhookEndpoint(request, None)).endpoint

    async def forget(self, org_id: str) -> None:
        """Delete the organization's endpoints, so that later tests have the worker's places."""
        with caller(org_id):
            found = await self.servicer.ListWebhookEndpoints(pb.ListWebhookEndpointsRequest(), None)
            for endpoint in found.endpoints:
                await self.servicer.DeleteWebhookEndpoint(pb.DeleteWebhookEndpointRequest(id=endpoint.id), None)

    async def deliveries(self, org_id: str, endpoint_id: str) -> list[pb.WebhookDelivery]:
        """The newest first."""
        with caller(org_id):
            request = pb.ListWebhookDeliveriesRequest(endpoint_id=endpoint_id)
            return list((await self.servicer.ListWebhookDeliveries(request, None)).deliveries)

    async def test(self, org_id: str, endpoint_id: str) -> pb.TestWebhookEndpointResponse:
        with caller(org_id):
            return await self.servicer.TestWebhookEndpoint(pb.TestWebhookEndpointRequest(id=endpoint_id), None)

    async def log(self, org_id: str, endpoint_id: str, delivery_id: str) -> pb.GetWebhookDeliveryResponse:
        request = pb.GetWebhookDeliveryRequest(endpoint_id=endpoint_id, delivery_id=delivery_id)
        with caller(org_id):
            return await self.servicer.GetWebhookDelivery(request, None)

    async def settled(
        self, org_id: str, endpoint_id: str, is_settled: Callable[[pb.WebhookDelivery], bool]
    ) -> pb.WebhookDelivery:
        """The newest delivery, once it is as it should be."""
        async with asyncio.timeout(15):
            while True:
                found = await self.deliveries(org_id, endpoint_id)
                if found and is_settled(found[0]):
                    return found[0]
                await asyncio.sleep(0.02)
