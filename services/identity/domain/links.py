"""The tokens of mailed links: signed ids, so that a stolen table opens no link."""

from __future__ import annotations

import re

from libs.keys import MacKeys, mac_keys


class MailedLinks:
    """Signs `<id>.<hmac-sha256>` for ids of one prefix and one purpose; nothing of a token is stored."""

    def __init__(self, secret: bytes | MacKeys, purpose: bytes, prefix: str) -> None:
        self._keys = mac_keys(secret).for_purpose(purpose)
        self._token = re.compile(rf"({prefix}_[0-9a-z]{{26}})\.([0-9a-f]{{64}})", re.ASCII)

    def token(self, of: str) -> str:
        return f"{of}.{self._keys.sign(of.encode()).hex()}"

    def id_of(self, token: str) -> str:
        """What the token was made for; empty for a token that is not ours."""
        match = self._token.fullmatch(token)
        if match is None or not self._keys.verify(match[1].encode(), bytes.fromhex(match[2])):
            return ""
        return match[1]
