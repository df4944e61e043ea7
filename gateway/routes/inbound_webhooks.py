"""Webhooks of providers, one route for each in the registry. Call-log gets the raw bytes and verifies and keeps them.

The routes are public: the proof headers are the credential. Nothing here parses the body.
"""

from collections.abc import Awaitable, Callable

from starlette.responses import Response

from echosenseix.calllog.v1 import calllog_pb2 as pb
from gateway.http import responses
from gateway.http.routing import Route, tagged
from gateway.http.schema import NoBody, NoQuery
from gateway.schemas.calls import Received
from gateway.state import ApiRequest
from providers.interface.provider import Provider
from providers.registry import PROVIDERS

# A delivery may carry the recording of its call, in base64: 24 MiB of MP3 are 25 minutes at 128 kbit/s. The services
# that it passes take gRPC messages of this size and a little more (libs.rpc.server.LARGE_MESSAGE_BYTES).
_ENVELOPE_LIMIT = 32 * 1024 * 1024
# Seconds. A provider repeats a delivery that takes too long; a report of 4 MiB takes longer to arrive than to store.
_DELIVERY_SECONDS = 30.0


def _receiver(provider: Provider) -> Callable[[ApiRequest[NoQuery, NoBody]], Awaitable[Response]]:
    async def receive(request: ApiRequest[NoQuery, NoBody]) -> Response:
        received = ((name, request.header(name)) for name in provider.webhook.proof_headers)
        answer = await request.app.clients.calls.ReceiveProviderWebhook(
            pb.ReceiveProviderWebhookRequest(
                provider=provider.name,
                webhook_token=request.path_params["orgToken"],
                proof_headers={name: value for name, value in received if value},
                body=await request.body(),
            )
        )
        return responses.ok(Received(received=True, duplicate=answer.duplicate))

    receive.__name__ = f"receive_{provider.name}"  # the operationId in the OpenAPI document
    return receive


def _route(provider: Provider) -> Route[NoQuery, NoBody]:
    return Route(
        "POST",
        provider.webhook.path,
        _receiver(provider),
        provider.webhook.summary,
        public=True,
        body_kind="raw",
        repeatable=True,
        keyed=False,
        body_limit=_ENVELOPE_LIMIT,
        seconds=_DELIVERY_SECONDS,
        answer=Received,
        problems=(401, 404),
    )


ROUTES = tagged("Webhooks in", *map(_route, PROVIDERS.values()))
