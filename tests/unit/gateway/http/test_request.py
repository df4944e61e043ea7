import pytest

from gateway.http.request import Options, Request
from libs.errors import InvalidArgument, Unauthenticated
from tests.unit.gateway.requests import OPTIONS, make_request


def with_fields(*fields: tuple[bytes, bytes]) -> Request[None, None, None]:
    return Request({"type": "http", "headers": list(fields)}, None, OPTIONS)  # type: ignore[arg-type]


def test_repeated_list_headers_are_joined_and_cookies_too() -> None:
    request = with_fields(
        (b"accept-encoding", b"gzip"), (b"accept-encoding", b"zstd"), (b"cookie", b"a=1"), (b"cookie", b"b=2")
    )
    request.refuse_repeated_headers()
    assert request.header("accept-encoding") == request.headers["Accept-Encoding"] == "gzip, zstd"
    assert request.cookies == {"a": "1", "b": "2"}


@pytest.mark.parametrize("name", [b"authorization", b"host", b"content-type", b"idempotency-key", b"x-api-key"])
def test_a_repeated_single_header_is_refused(name: bytes) -> None:
    with pytest.raises(InvalidArgument, match="repeated_header"):
        with_fields((name, b"a"), (b"x", b"y"), (name, b"a")).refuse_repeated_headers()


def test_an_absent_header_is_empty_and_bytes_never_fail() -> None:
    request = with_fields((b"x", b"\xff"))
    assert (request.header("x"), request.header("y")) == ("ÿ", "")
    assert (request.has_header("x"), request.has_header("y")) == (True, False)


def test_a_public_request_has_no_principal() -> None:
    with pytest.raises(Unauthenticated):
        _ = make_request().principal


def test_the_client_address_counts_only_trusted_proxies() -> None:
    scope = {"type": "http", "headers": [(b"x-forwarded-for", b"6.6.6.6, 1.2.3.4")], "client": ("10.0.0.1", 1)}
    behind_one = Options("https://api.example.com", trusted_proxies=1)
    assert Request(scope, None, OPTIONS).client_address == "10.0.0.1"  # type: ignore[arg-type]
    assert Request(scope, None, behind_one).client_address == "1.2.3.4"  # type: ignore[arg-type]
