"""What providers deliver: the raw bytes and the signature are handed to call-log, which verifies and keeps them.

Public: the signature is the credential. Nothing here parses the body.
"""

from starlette.responses import Response

from echosenseix.calllog.v1 import calllog_pb2 as pb
from gateway.http.request import Call
from gateway.http.routing import Route, tagged
from gateway.http.schema import NoBody, NoQuery
from gateway.schemas.calls import Received

# Long calls with tool traffic pass the 1 MiB that bodies of our own clients may have; a gRPC message fits 8 MiB.
_ENVELOPE_LIMIT = 4 * 1024 * 1024
# Vapi's deliveries prove themselves in one of several headers, as the customer chose there.
_VAPI_PROOFS = (b"authorization", b"x-vapi-secret", b"x-vapi-signature", b"x-signature", b"x-timestamp")


async def receive_elevenlabs(call: Call[NoQuery, NoBody]) -> Response:
    return await _receive(call, "elevenlabs", call.exchange.header(b"elevenlabs-signature"))


async def receive_retell(call: Call[NoQuery, NoBody]) -> Response:
    return await _receive(call, "retell", call.exchange.header(b"x-retell-signature"))


async def receive_vapi(call: Call[NoQuery, NoBody]) -> Response:
    shown = ((name.decode(), call.exchange.header(name)) for name in _VAPI_PROOFS)
    return await _receive(call, "vapi", "\n".join(f"{name}: {value}" for name, value in shown if value))


async def _receive(call: Call[NoQuery, NoBody], provider: str, signature: str) -> Response:
    answer = await call.clients.calls.ReceiveProviderWebhook(
        pb.ReceiveProviderWebhookRequest(
            provider=provider, webhook_token=call.params["orgToken"], signature=signature, body=call.raw
        )
    )
    return call.ok(Received(received=True, duplicate=answer.duplicate))


ROUTES = tagged(
    "Webhooks in",
    Route(
        "POST",
        "/api/webhooks/elevenlabs/{orgToken}/post-call",
        receive_elevenlabs,
        "Post-call webhook of ElevenLabs",
        public=True,
        body_kind="raw",
        repeatable=True,
        body_limit=_ENVELOPE_LIMIT,
        answer=Received,
        problems=(401, 404),
    ),
    Route(
        "POST",
        "/api/webhooks/retell/{orgToken}",
        receive_retell,
        "Webhook of Retell",
        public=True,
        body_kind="raw",
        repeatable=True,
        body_limit=_ENVELOPE_LIMIT,
        answer=Received,
        problems=(401, 404),
    ),
    Route(
        "POST",
        "/api/webhooks/vapi/{orgToken}",
        receive_vapi,
        "Server messages of Vapi",
        public=True,
        body_kind="raw",
        repeatable=True,
        body_limit=_ENVELOPE_LIMIT,
        answer=Received,
        problems=(401, 404),
    ),
)
