import pytest

from gateway.http.client_address import client_address

SCOPE = {"client": ("10.0.0.9", 4711)}


@pytest.mark.parametrize(
    ("forwarded", "proxies", "address"),
    [
        ("", 0, "10.0.0.9"),
        ("1.1.1.1", 0, "10.0.0.9"),
        ("1.1.1.1", 1, "1.1.1.1"),
        ("9.9.9.9, 1.1.1.1", 1, "1.1.1.1"),
        ("9.9.9.9, 1.1.1.1, 10.0.0.2", 2, "1.1.1.1"),
        ("1.1.1.1", 3, "10.0.0.9"),
        ("1.1.1.1, unknown", 1, "10.0.0.9"),
        ("1.1.1.1, 2.2.2.2:4711", 1, "10.0.0.9"),
        ("1.1.1.1,", 1, "10.0.0.9"),
        ("9.9.9.9\t, 2001:DB8::1", 1, "2001:db8::1"),
        (f"{'9' * 5000}", 1, "10.0.0.9"),
        ("", 1, "10.0.0.9"),
    ],
)
def test_only_what_our_own_proxies_appended_is_believed(forwarded: str, proxies: int, address: str) -> None:
    assert client_address(SCOPE, forwarded, proxies) == address


def test_no_peer_has_no_address() -> None:
    assert client_address({"client": None}, "", 0) == ""
