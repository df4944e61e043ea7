"""Webhooks of providers, one route for each in the registry. Call-log gets the raw bytes and verifies and keeps them.

The routes are public: the proof headers are the credential. Nothing here parses the body.
"""

from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.responses import Response

from echosenseix.calllog.v1 import calllog_pb2 as pb
from gateway.http import responses
from gateway.http.body_stream import read_pieces, send_stream
from gateway.http.routing import Route, tagged
from gateway.http.schema import NoBody, NoQuery
from gateway.schemas.calls import Received
from gateway.state import ApiRequest
from providers.interface.provider import Provider
from providers.registry import PROVIDERS

# Bytes of a delivery, which may carry the recording of its call in base64: 48 MiB of MP3 are 50 minutes at 128 kbit/s.
_DELIVERY_LIMIT = 64 * 1024 * 1024
# Bytes that pass in one message, which is sent once more if call-log's replica goes away. A longer delivery is passed
# on in pieces. Larger: more memory for each delivery.
_ONE_MESSAGE = 1024 * 1024
# Slowest delivery, in bytes per second. Providers send from data centers. Lower: a slow sender holds memory for longer.
_LEAST_BYTES_PER_SECOND = 64 * 1024
# Seconds for a whole delivery, from its first byte until its recording is stored.
_TRANSFER_SECONDS = 120.0


def _receiver(provider: Provider) -> Callable[[ApiRequest[NoQuery, NoBody]], Awaitable[Response]]:
    async def receive(request: ApiRequest[NoQuery, NoBody]) -> Response:
        token, clients = request.path_params["orgToken"], request.app.clients
        received = ((name, request.header(name)) for name in provider.webhook.proof_headers)
        # Only the headers that the provider signs with: others may carry what is not call-log's business.
        proof = {name: value for name, value in received if value}
        # Most deliveries are a few KiB and pass in one message, which can be repeated at another replica.
        body, pieces = bytearray(), read_pieces(request, _DELIVERY_LIMIT, least_per_second=_LEAST_BYTES_PER_SECOND)
        async for piece in pieces:
            body += piece
            if len(body) > _ONE_MESSAGE:
                head = pb.ProviderWebhookHead(provider=provider.name, webhook_token=token, proof_headers=proof)
                streamed = await send_stream(clients.calls.StreamProviderWebhook, _messages(head, bytes(body), pieces))
                return _answer(streamed.duplicate)
        whole = pb.ReceiveProviderWebhookRequest(
            provider=provider.name, webhook_token=token, proof_headers=proof, body=bytes(body)
        )
        return _answer(await clients.deliveries.pass_on(whole))

    receive.__name__ = f"receive_{provider.name}"  # the operationId in the OpenAPI document
    return receive


async def _messages(
    head: pb.ProviderWebhookHead, begun: bytes, rest: AsyncIterator[bytes]
) -> AsyncIterator[pb.StreamProviderWebhookRequest]:
    yield pb.StreamProviderWebhookRequest(head=head)
    yield pb.StreamProviderWebhookRequest(data=begun)
    async for piece in rest:
        yield pb.StreamProviderWebhookRequest(data=piece)


def _answer(duplicate: bool) -> Response:
    return responses.ok(Received(received=True, duplicate=duplicate))


def _route(provider: Provider) -> Route[NoQuery, NoBody]:
    return Route(
        "POST",
        provider.webhook.path,
        _receiver(provider),
        provider.webhook.summary,
        public=True,
        limits="webhook",
        body_kind="stream",
        repeatable=True,
        keyed=False,
        seconds=_TRANSFER_SECONDS,
        answer=Received,
        problems=(401, 404),
    )


ROUTES = tagged("Webhooks in", *map(_route, PROVIDERS.values()))
