"""Signed links: what opens, what does not, and when it ends."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest

from gateway.http.problems import refusal_of
from gateway.http.signed_links import LINK_SECONDS, RENEWED_SECONDS, LinkQuery, SignedLinks
from libs.errors import AppError

NOW = 1_767_355_200.0
PATH = "/api/call-logs/call_1/recording/content"


def links(now: float = NOW, secret: bytes = b"s" * 32) -> SignedLinks:
    return SignedLinks(secret, "https://api.example.com", lambda: now)


def given() -> LinkQuery:
    url = urlsplit(links().url(PATH, "org_1"))
    assert f"{url.scheme}://{url.netloc}{url.path}" == f"https://api.example.com{PATH}"
    return LinkQuery(**dict(parse_qsl(url.query)))


def refused(link: LinkQuery, *, path: str = PATH, at: SignedLinks | None = None) -> tuple[int, str]:
    with pytest.raises(AppError) as caught:
        (at or links()).check(path, link)
    return refusal_of(caught.value).status, caught.value.reason


def test_a_link_opens_until_its_last_second() -> None:
    links().check(PATH, given())
    links(NOW + LINK_SECONDS - 0.001).check(PATH, given())
    assert refused(given(), at=links(NOW + LINK_SECONDS)) == (410, "link_expired")


@pytest.mark.parametrize(
    "change",
    [
        {"organization": "org_2"},
        {"expires": str(int(NOW) + 10 * LINK_SECONDS)},
        {"expires": ""},
        {"expires": "soon"},
        {"signature": ""},
        {"signature": "0" * 64},
        {"signature": "\u00e9"},
    ],
)
def test_a_changed_link_opens_nothing(change: dict[str, str]) -> None:
    link = given()
    changed = {"organization": link.organization, "expires": link.expires, "signature": link.signature, **change}
    assert refused(LinkQuery(**changed)) == (403, "invalid_link")


def test_a_link_opens_its_own_path_and_with_its_own_secret() -> None:
    assert refused(given(), path=PATH.replace("call_1", "call_2")) == (403, "invalid_link")
    assert refused(given(), at=links(secret=b"t" * 32)) == (403, "invalid_link")


def test_text_cannot_move_from_one_part_to_the_next() -> None:
    link = given()
    moved = LinkQuery(
        organization=link.organization + link.expires[0], expires=link.expires[1:], signature=link.signature
    )
    assert refused(moved) == (403, "invalid_link")


def test_all_links_of_a_minute_are_the_same_and_end_within_five_minutes() -> None:
    minute = [links(NOW + second).url(PATH, "org_1") for second in range(RENEWED_SECONDS)]
    assert len(set(minute)) == 1
    assert links(NOW + RENEWED_SECONDS).url(PATH, "org_1") != minute[0]
