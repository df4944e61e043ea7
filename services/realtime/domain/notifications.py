"""The kinds of mails that a user may end, and which mails are of each kind. Pure.

A mail of no kind is always sent: it is about sign-in or security, or a person asked for it.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

from suite.mails import MailTemplate


class Notification(enum.StrEnum):
    """The names are those of the fields of the message Notifications."""

    CREDIT_LOW = "credit_low"
    WEBHOOK_ENDPOINTS = "webhook_endpoints"


KINDS: Mapping[str, Notification] = {
    MailTemplate.CREDIT_LOW: Notification.CREDIT_LOW,
    MailTemplate.WEBHOOK_ENDPOINT_FAILING: Notification.WEBHOOK_ENDPOINTS,
    MailTemplate.WEBHOOK_ENDPOINT_DISABLED: Notification.WEBHOOK_ENDPOINTS,
}
