from typing import Any

import pytest

from gateway.http.compressed import MIN_BYTES
from gateway.http.request import request_of
from gateway.middleware.compression import Compression
from tests.unit.gateway.requests import make_request

JSON = (b"content-type", b"application/json")


async def answered(
    body: bytes, *headers: tuple[bytes, bytes], status: int = 200, pieces: int = 1, secret: bool = False
) -> tuple[dict[bytes, bytes], bytes]:
    """What a client that likes gzip gets when the application answers this."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        length = (b"content-length", str(len(body)).encode())
        request_of(scope).secret = secret
        await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
        size = -(-len(body) // pieces) or 1
        parts = [body[start : start + size] for start in range(0, len(body), size)] or [b""]
        for number, part in enumerate(parts, 1):
            await send({"type": "http.response.body", "body": part, "more_body": number < len(parts)})

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "state": {"request": make_request({"accept-encoding": "gzip"})}}
    await Compression(app)(scope, None, send)  # type: ignore[arg-type]
    return dict(sent[0]["headers"]), b"".join(message["body"] for message in sent[1:])


async def test_from_one_kibibyte_an_answer_is_packed_and_its_tag_says_so() -> None:
    headers, body = await answered(b"x" * MIN_BYTES, JSON, (b"etag", b'"7"'))
    assert headers[b"content-encoding"] == b"gzip"
    assert headers[b"etag"] == b'"7-gzip"'
    assert int(headers[b"content-length"]) == len(body) < MIN_BYTES


@pytest.mark.parametrize(
    ("size", "keywords"),
    [
        (MIN_BYTES - 1, {}),
        (MIN_BYTES, {"secret": True}),
        (MIN_BYTES, {"status": 206}),
        (MIN_BYTES, {"pieces": 3}),
        (0, {}),
    ],
)
async def test_small_secret_partial_and_streamed_answers_are_left_alone(size: int, keywords: dict[str, Any]) -> None:
    headers, body = await answered(b"x" * size, JSON, (b"etag", b'"7"'), **keywords)
    assert b"content-encoding" not in headers
    assert headers[b"etag"] == b'"7"'
    assert body == b"x" * size


@pytest.mark.parametrize("kind", [b"audio/mpeg", b"application/pdf", b"application/octet-stream"])
async def test_what_is_packed_already_is_left_alone(kind: bytes) -> None:
    headers, _ = await answered(b"x" * 5000, (b"content-type", kind))
    assert b"content-encoding" not in headers
    headers, _ = await answered(b"x" * 5000, JSON, (b"content-encoding", b"br"))
    assert headers[b"content-encoding"] == b"br"


async def test_a_large_answer_is_packed_beside_the_loop_and_comes_out_whole() -> None:
    import gzip

    headers, body = await answered(b"abc" * 200_000, JSON)
    assert headers[b"content-encoding"] == b"gzip"
    assert gzip.decompress(body) == b"abc" * 200_000
