"""A mail as the mailbox shows it that stands in for an SMTP server, and one that another service asks for."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True, slots=True)
class Mail:
    id: str
    recipients: tuple[str, ...]
    subject: str
    body: str
    created_at: datetime.datetime


@dataclasses.dataclass(frozen=True, slots=True)
class MailRequest:
    """The arguments of its job."""

    template: str
    address: str
    about: str
    values: Mapping[str, str]
