"""The HTML part of a mail says what the text says, and nothing in it is remote or a stranger's markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from services.realtime.domain.mail_html import as_html
from services.realtime.domain.mail_templates import TEMPLATES
from services.realtime.domain.notifications import KINDS, Notification
from suite.mails import MailTemplate

EVIL = '<img src=https://evil.example/x onerror="alert(1)"> https://evil.example/click & Söhne'
VALUES = {
    "availableMicros": "1500000",
    "currency": "USD",
    "link": "https://suite.example.com/app#/verify-email/tok_1.a",
}
SECURITY = {
    MailTemplate.PASSWORD_CHANGED,
    MailTemplate.PASSWORD_RESET,
    MailTemplate.EMAIL_CHANGED,
    MailTemplate.OPENID_LINKED,
    MailTemplate.SECOND_FACTOR_ENABLED,
    MailTemplate.SECOND_FACTOR_DISABLED,
}


class Reader(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str | None] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data


class Evil(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return EVIL


@pytest.mark.parametrize("template", list(MailTemplate))
def test_values_of_strangers_become_text_and_no_link_or_picture(template: MailTemplate) -> None:
    mail = TEMPLATES[template](Evil(VALUES))
    read = Reader(as_html(mail.subject, mail.text))
    assert read.tags <= {"html", "head", "meta", "title", "body", "h1", "p", "br", "a"}
    assert set(read.links) <= {VALUES["link"]}
    assert (VALUES["link"] in mail.text) == (read.links == [VALUES["link"]])
    assert re.sub(r"\s+", "", mail.text) in re.sub(r"\s+", "", read.text)


def test_no_mail_about_security_is_of_a_kind_that_ends() -> None:
    assert not SECURITY & KINDS.keys()
    assert set(KINDS.values()) == set(Notification)
