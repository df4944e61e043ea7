"""The texts of mails and the names by which they are asked for are the same set."""

from __future__ import annotations

from services.realtime.domain.mail_templates import TEMPLATES
from suite.mails import MailTemplate


def test_every_mail_has_a_text_and_every_text_a_name() -> None:
    assert set(TEMPLATES) == set(MailTemplate)
