"""Known devices: a token that a device keeps after it signed in, which proves that it once knew the password.

The token grants nothing. It only chooses the lane in which further tries to sign in are counted.
"""

from __future__ import annotations

import re

from libs.keys import MacKeys, mac_keys

_TOKEN = re.compile(r"([0-9A-Za-z]{16})\.([0-9a-f]{64})", re.ASCII)
_PURPOSE = b"known device"


class KnownDevices:
    """Signs `<device id>.<hmac-sha256 of device id and account>`; nothing is stored."""

    def __init__(self, secret: bytes | MacKeys) -> None:
        self._keys = mac_keys(secret).for_purpose(_PURPOSE)

    def token(self, device: str, email_key: str) -> str:
        """The token of the device of this id (16 letters and digits) for this account."""
        return f"{device}.{self._keys.sign(_signed(device, email_key)).hex()}"

    def device_of(self, token: str, email_key: str) -> str:
        """The device's id when the token was made for this account, else empty."""
        match = _TOKEN.fullmatch(token)
        if match is None or not self._keys.verify(_signed(match[1], email_key), bytes.fromhex(match[2])):
            return ""
        return match[1]


def _signed(device: str, email_key: str) -> bytes:
    return f"{device}\0{email_key}".encode()
