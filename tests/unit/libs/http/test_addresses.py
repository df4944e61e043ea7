from ipaddress import ip_address

import pytest

from libs.http import forbidden_address
from libs.http.addresses import AllowedAddress, ascii_url, is_public, parse_target


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "8.8.8.8", "93.184.216.34", "172.15.255.255", "172.32.0.1", "100.63.255.255", "2606:4700:4700::1111"],
)
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "100.127.255.255"),
        *("127.0.0.1", "127.255.255.254", "168.63.129.16", "169.254.169.254", "169.254.170.2", "172.16.0.1"),
        *("172.31.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1"),
        *("198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1"),
        *("255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1"),
        *("64:ff9b::808:808", "64:ff9b:1::1", "100::1", "2001::1", "2001:0:7f00:1::", "2001:10::1", "2001:20::1"),
        *("2001:db8::1", "2002:7f00:1::", "2002:0808:0808::", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254"),
        *("fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "ff0e::1", "2606:4700:4700::1111%1"),
    ],
)
def test_everything_else_is_not(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    ("url", "host", "port", "path", "authority"),
    [
        ("https://Example.COM", "example.com", 443, "/", "example.com"),
        ("http://example.com:8080/a%20b?c=d#e", "example.com", 8080, "/a%20b?c=d", "example.com:8080"),
        ("https://example.com.:443/x", "example.com", 443, "/x", "example.com"),
        ("https://[2606:4700::1111]/x", "2606:4700::1111", 443, "/x", "[2606:4700::1111]"),
        ("http://0x08080808/", "8.8.8.8", 80, "/", "8.8.8.8"),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443, "/", "xn--bcher-kva.example"),
    ],
)
def test_a_plain_url_is_read(url: str, host: str, port: int, path: str, authority: str) -> None:
    target = parse_target(url)
    assert (target.host, target.port, target.path, target.authority) == (host, port, path, authority)
    assert forbidden_address(url) is None


def test_what_is_allowed_by_name_address_or_range_passes() -> None:
    allow = ("127.0.0.1:9900-9999", "[::1]:8000", "collector.internal:443")
    for url in ("http://127.0.0.1:9900/", "http://127.1:9999/", "http://[::1]:8000/", "https://collector.internal/"):
        assert forbidden_address(url, allow) is None
    for url in ("http://127.0.0.1:9899/", "http://127.0.0.2:9900/", "http://[::1]:8001/", "http://collector.internal/"):
        assert forbidden_address(url, allow) is not None


@pytest.mark.parametrize("entry", ["", "127.0.0.1", "127.0.0.1:", "127.0.0.1:a", "::1:80", "a b:80", "127.0.0.1:1-2-3"])
def test_an_unreadable_allowance_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="OUTBOUND_ALLOW"):
        AllowedAddress.parse(entry)


@pytest.mark.parametrize(
    ("url", "written"),
    [
        ("https://example.com/a b?c=%2F#d", "https://example.com/a b?c=%2F#d"),
        ("https://bücher.example/hook", "https://xn--bcher-kva.example/hook"),
        ("https://BÜCHER.example:8443/hook", "https://xn--bcher-kva.example:8443/hook"),
        ("https://例え.テスト/", "https://xn--r8jz45g.xn--zckzah/"),
        ("https://example.com/größe/%C3%A9?q=Öl&x=1", "https://example.com/gr%C3%B6%C3%9Fe/%C3%A9?q=%C3%96l&x=1"),
        ("https://１０.０.０.１/x", "https://10.0.0.1/x"),
    ],
)
def test_a_url_of_other_letters_is_written_as_it_goes_on_the_wire(url: str, written: str) -> None:
    assert ascii_url(url) == written


@pytest.mark.parametrize(
    "url", ["https://ex\u2100mple.com/", "https://\u2603\ufe0f.example/", "https://me:ü@example.com/"]
)
def test_a_host_that_no_name_can_be_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="the URL"):
        ascii_url(url)


def test_other_letters_lead_to_no_inner_address() -> None:
    assert forbidden_address(ascii_url("http://１２７.0.0.1/")) == "the address is not public"
