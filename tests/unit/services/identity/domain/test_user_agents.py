"""Devices and networks as a person recognizes them in the list of sessions."""

from __future__ import annotations

import pytest

from services.identity.domain.user_agents import device_of, network_of

MOZILLA = "Mozilla/5.0"
SAFARI = "AppleWebKit/605.1.15 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("user_agent", "device"),
    [
        (f"{MOZILLA} (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Firefox 128 on Linux"),
        (
            f"{MOZILLA} (Windows NT 10.0; Win64; x64) {SAFARI} Chrome/127.0.0.0 Safari/537.36 Edg/127.0.2651.74",
            "Edge 127 on Windows",
        ),
        (
            f"{MOZILLA} (Linux; Android 14; Pixel 8) {SAFARI} Chrome/127.0.6533.64 Mobile Safari/537.36",
            "Chrome 127 on Android",
        ),
        (f"{MOZILLA} (Macintosh; Intel Mac OS X 14_5) {SAFARI} Version/17.5 Safari/605.1.15", "Safari 17 on macOS"),
        (
            f"{MOZILLA} (iPhone; CPU iPhone OS 17_5 like Mac OS X) {SAFARI} Version/17.5 Mobile/15E148 Safari/604.1",
            "Safari 17 on iPhone",
        ),
        (f"{MOZILLA} (X11; CrOS x86_64 14541.0.0)", "A browser on ChromeOS"),
        ("python-httpx/0.28.1", "python-httpx 0.28"),
        ("curl/8.5.0", "curl 8.5"),
        ("<script>", ""),
        ("", ""),
    ],
)
def test_a_device_is_named_by_its_browser_and_system(user_agent: str, device: str) -> None:
    assert device_of(user_agent) == device


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("no address", ""),
        ("", ""),
    ],
)
def test_a_network_is_the_prefix_of_its_address(address: str, network: str) -> None:
    assert network_of(address) == network
