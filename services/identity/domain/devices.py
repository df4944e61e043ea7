"""Known devices: a token that a device keeps after it signed in, which proves that it once knew the password.

The token grants nothing. It only chooses the lane in which further tries to sign in are counted.
"""

from __future__ import annotations

import hashlib
import hmac
import re

_TOKEN = re.compile(r"([0-9A-Za-z]{16})\.([0-9a-f]{64})", re.ASCII)
_PURPOSE = b"known device"


class KnownDevices:
    """Signs `<device id>.<hmac-sha256 of device id and account>`; nothing is stored."""

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, _PURPOSE, "sha256")

    def token(self, device: str, email_key: str) -> str:
        """The token of the device of this id (16 letters and digits) for this account."""
        return f"{device}.{self._mac(device, email_key)}"

    def device_of(self, token: str, email_key: str) -> str:
        """The device's id when the token was made for this account, else empty."""
        match = _TOKEN.fullmatch(token)
        if match is None or not hmac.compare_digest(match[2], self._mac(match[1], email_key)):
            return ""
        return match[1]

    def _mac(self, device: str, email_key: str) -> str:
        return hmac.new(self._key, f"{device}\0{email_key}".encode(), hashlib.sha256).hexdigest()
