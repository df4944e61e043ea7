"""A mail as the mailbox shows it that stands in for an SMTP server."""

from __future__ import annotations

import dataclasses
import datetime


@dataclasses.dataclass(frozen=True, slots=True)
class Mail:
    id: str
    recipients: tuple[str, ...]
    subject: str
    body: str
    created_at: datetime.datetime
