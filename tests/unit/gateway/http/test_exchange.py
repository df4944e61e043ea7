import pytest

from gateway.http.exchange import Exchange, read_headers
from libs.errors import InvalidArgument


def test_repeated_list_headers_are_joined_and_cookies_too() -> None:
    headers = read_headers(
        [(b"accept-encoding", b"gzip"), (b"accept-encoding", b"zstd"), (b"cookie", b"a=1"), (b"cookie", b"b=2")]
    )
    assert headers == {b"accept-encoding": b"gzip, zstd", b"cookie": b"a=1; b=2"}


@pytest.mark.parametrize("name", [b"authorization", b"host", b"content-type", b"idempotency-key", b"x-api-key"])
def test_a_repeated_single_header_is_refused(name: bytes) -> None:
    with pytest.raises(InvalidArgument, match="repeated_header"):
        read_headers([(name, b"a"), (b"x", b"y"), (name, b"a")])


def test_an_absent_header_is_empty_and_bytes_never_fail() -> None:
    exchange = Exchange(headers={b"x": b"\xff"})
    assert (exchange.header(b"x"), exchange.header(b"y")) == ("ÿ", "")
