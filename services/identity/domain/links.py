"""The tokens of mailed links: signed ids, so that a stolen table opens no link."""

from __future__ import annotations

import hashlib
import hmac
import re


class MailedLinks:
    """Signs `<id>.<hmac-sha256>` for ids of one prefix and one purpose; nothing of a token is stored."""

    def __init__(self, secret: bytes, purpose: bytes, prefix: str) -> None:
        self._key = hmac.digest(secret, purpose, "sha256")
        self._token = re.compile(rf"({prefix}_[0-9a-z]{{26}})\.([0-9a-f]{{64}})", re.ASCII)

    def token(self, of: str) -> str:
        return f"{of}.{self._mac(of)}"

    def id_of(self, token: str) -> str:
        """What the token was made for; empty for a token that is not ours."""
        match = self._token.fullmatch(token)
        if match is None or not hmac.compare_digest(match[2], self._mac(match[1])):
            return ""
        return match[1]

    def _mac(self, of: str) -> str:
        return hmac.new(self._key, of.encode(), hashlib.sha256).hexdigest()
