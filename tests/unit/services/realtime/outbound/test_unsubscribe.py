"""Links that end mails: sealed, for one recipient and kind."""

from __future__ import annotations

import base64

import pytest

from gateway.app import ROUTES
from gateway.http.routing import RouteTable
from libs.crypto import Envelope
from libs.errors import NotFound
from libs.ids import new_id
from services.realtime.domain.notifications import Notification
from services.realtime.outbound.unsubscribe import Recipient, UnsubscribeLinks

KEY = "k20261128a=" + base64.b64encode(b"e" * 32).decode()
OTHER = "k2=" + base64.b64encode(b"f" * 32).decode()
LINKS = UnsubscribeLinks(Envelope([KEY]), "https://suite.example.com/")
ADA = Recipient(new_id("org"), new_id("usr"), Notification.CREDIT_LOW)


def test_a_token_names_its_recipient_and_shows_nothing_of_it() -> None:
    token = LINKS.token(ADA)
    assert LINKS.read(token) == ADA
    assert ADA.user_id.encode() not in base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    path = LINKS.one_click(token).removeprefix("https://suite.example.com")
    assert RouteTable(ROUTES).match("POST", path).params == {"token": token}
    assert len(LINKS.one_click(token)) < 998 - len("List-Unsubscribe: <>")  # a line of a mail (RFC 5322)


@pytest.mark.parametrize("change", ["", "x", "é", "=", "a" * 900])
def test_a_token_that_is_not_ours_is_refused(change: str) -> None:
    with pytest.raises(NotFound) as refusal:
        LINKS.read(change)
    assert refusal.value.reason == "unsubscribe_link_invalid"


def test_a_changed_byte_or_another_key_refuses_the_token() -> None:
    token = LINKS.token(ADA)
    changed = token[:-3] + ("A" if token[-3] != "A" else "B") + token[-2:]
    for links, given in ((LINKS, changed), (UnsubscribeLinks(Envelope([OTHER]), ""), token)):
        with pytest.raises(NotFound):
            links.read(given)


def test_a_key_that_was_replaced_still_reads_the_mails_that_went_out() -> None:
    assert UnsubscribeLinks(Envelope([OTHER, KEY]), "").read(LINKS.token(ADA)) == ADA
