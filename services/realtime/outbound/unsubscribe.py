"""The links by which the recipient of a mail ends the mails of its kind, without signing in (RFC 8058).

A token is sealed: it names organization, user and kind, and its bearer can end these mails and do nothing else.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass

from libs.crypto import DecryptionError, Envelope
from libs.errors import NotFound
from services.realtime.domain.notifications import Notification

_SEALED = ("mail", "unsubscribe")


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whose mails of which kind."""

    org_id: str
    user_id: str
    kind: Notification


class UnsubscribeLinks:
    def __init__(self, envelope: Envelope, console_url: str) -> None:
        """`console_url` is where the gateway is reached from outside."""
        self._envelope = envelope
        self._base = console_url.rstrip("/")

    def token(self, recipient: Recipient) -> str:
        named = json.dumps([recipient.org_id, recipient.user_id, recipient.kind]).encode()
        return base64.urlsafe_b64encode(self._envelope.encrypt(named, _SEALED)).decode().rstrip("=")

    def read(self, token: str) -> Recipient:
        """Raises NotFound for a token that is not ours."""
        try:
            sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
            org_id, user_id, kind = json.loads(self._envelope.decrypt(sealed, _SEALED))
            return Recipient(org_id, user_id, Notification(kind))
        except (binascii.Error, DecryptionError, ValueError):
            raise NotFound("unsubscribe_link_invalid", "No mail of ours has this link.") from None

    def page(self, token: str) -> str:
        """For people: a page of the console with a button, because scanners of mails follow links."""
        return f"{self._base}/app#/unsubscribe/{token}"

    def one_click(self, token: str) -> str:
        """For mail programs, which post to it."""
        return f"{self._base}/api/notifications/unsubscribe/{token}"
