import pytest

from libs.addresses import is_within


@pytest.mark.parametrize(
    ("address", "networks", "inside"),
    [
        ("203.0.113.7", ["203.0.113.0/24"], True),
        ("203.0.114.7", ["203.0.113.0/24"], False),
        ("203.0.113.7", ["198.51.100.1/32", "203.0.113.7/32"], True),
        ("::ffff:203.0.113.7", ["203.0.113.0/24"], True),
        ("2001:db8::1", ["2001:db8::/32"], True),
        ("2001:db9::1", ["2001:db8::/32"], False),
        ("2001:db8::1", ["0.0.0.0/0"], False),
        ("", ["0.0.0.0/0", "::/0"], False),
        ("nonsense", ["0.0.0.0/0"], False),
    ],
)
def test_an_address_is_within_networks(address: str, networks: list[str], inside: bool) -> None:
    assert is_within(address, networks) is inside
