"""How an organization shows itself: the rules of names, colors and addresses. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from libs.errors import InvalidArgument, Violation
from libs.text import trimmed

from .people import check_email

# Characters of a product's name: it stands in subjects of mails and titles of pages.
PRODUCT_NAME_MAX = 60
# Contrast between a color and the text on it (WCAG 2.2, 1.4.3, AA).
CONTRAST_MIN = 4.5
# Characters of the address of a support page.
URL_MAX = 500
# How long the record of a proved host may be gone. Shorter: a fault of a zone costs its host; longer: a host that has a
# new owner shows the old one's look for longer.
GRACE = timedelta(days=7)
# How often the record of a proved host is looked at.
CHECK_EVERY = timedelta(days=1)
# The label in front of a host whose TXT record proves it.
PROOF_LABEL = "_echosenseix"
_COLOR = re.compile(r"#[0-9a-f]{6}")


@dataclass(frozen=True, slots=True)
class Logo:
    media_type: str
    content: bytes = field(repr=False)

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class WhiteLabel:
    """Colors are #rrggbb, at first the console's own. Version 0: the organization has set nothing, and shows what the
    suite shows."""

    product_name: str = "EchoSenseiX"
    primary_color: str = "#0f766e"
    primary_text_color: str = "#ffffff"
    background_color: str = "#f6f8f8"
    text_color: str = "#15201f"
    support_email: str = ""
    support_url: str = ""
    logo_digest: str = ""
    version: int = 0
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Host:
    """`proof` is the value that the TXT record of the host must have."""

    id: str
    org_id: str
    host: str
    proof: str
    created_at: datetime
    verified_at: datetime | None = None
    # When its record was looked at last, and since when it is gone.
    checked_at: datetime | None = None
    missing_since: datetime | None = None

    @property
    def record_name(self) -> str:
        return f"{PROOF_LABEL}.{self.host}"


@dataclass(frozen=True, slots=True)
class Checked:
    """What looking at the record of a proved host has led to."""

    host: Host
    is_new: bool = False
    is_lost: bool = False


def checked_host(host: Host, told: Collection[str] | None, now: datetime) -> Checked:
    """`told` are the values of its record; None: no name server answered, which proves nothing either way."""
    host = replace(host, checked_at=now)
    if told is None:
        return Checked(host)
    if host.proof in told:
        return Checked(replace(host, missing_since=None))
    since = host.missing_since or now
    if now - since >= GRACE:
        return Checked(replace(host, verified_at=None, missing_since=since), is_lost=True)
    return Checked(replace(host, missing_since=since), is_new=host.missing_since is None)


def page_at(host: str, url: str) -> str:
    """The page of a mailed link at this host instead of the installation's own."""
    parts = urlsplit(url)
    # As it is from the path on: a token follows, of which an empty fragment is a part.
    return f"https://{host}{url.removeprefix(f'{parts.scheme}://{parts.netloc}')}"


def edit_white_label(known: WhiteLabel, given: WhiteLabel, now: datetime) -> WhiteLabel:
    """The settings as given; the very same object when nothing differs. Raises with every violation found."""
    given = replace(
        given,
        product_name=trimmed(given.product_name),
        support_email=given.support_email.strip(),
        support_url=given.support_url.strip(),
        **{name: getattr(given, name).lower() for name in _COLORS},
        version=known.version,
        updated_at=known.updated_at,
    )
    found = list(_violations(given))
    if found:
        raise InvalidArgument("validation_failed", "The settings are not valid.", violations=found)
    return known if given == known else replace(given, version=known.version + 1, updated_at=now)


def contrast(color: str, other: str) -> float:
    """The contrast ratio of two colors, 1 to 21 (WCAG 2.2, "contrast ratio")."""
    lighter, darker = sorted((_luminance(color), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


_COLORS = ("primary_color", "primary_text_color", "background_color", "text_color")
# Color of a text -> color behind it, with the member of the body that a violation names.
_READ_ON = (
    ("primary_text_color", "primary_color", "#/primaryTextColor"),
    ("text_color", "background_color", "#/textColor"),
)
_MEMBERS = dict(zip(_COLORS, ("primaryColor", "primaryTextColor", "backgroundColor", "textColor"), strict=True))


def _violations(given: WhiteLabel) -> Iterator[Violation]:
    if not given.product_name:
        yield Violation("#/productName", "required", "Must not be empty.")
    if len(given.product_name) > PRODUCT_NAME_MAX:
        yield Violation("#/productName", "too_long", f"At most {PRODUCT_NAME_MAX} characters.")
    if not given.product_name.isprintable():
        yield Violation("#/productName", "invalid_character", "Must not contain control characters.")
    bad = [name for name in _COLORS if not _COLOR.fullmatch(getattr(given, name))]
    yield from (Violation(f"#/{_MEMBERS[name]}", "invalid_format", "Must be #rrggbb.") for name in bad)
    if not bad:
        yield from _unreadable(given)
    if given.support_email:
        try:
            check_email(given.support_email)
        except InvalidArgument:
            yield Violation("#/supportEmail", "invalid_format", "Must be an e-mail address.")
    if given.support_url and not _is_page(given.support_url):
        yield Violation("#/supportUrl", "invalid_format", "Must be an https address.")


def _unreadable(given: WhiteLabel) -> Iterator[Violation]:
    for text, behind, pointer in _READ_ON:
        ratio = contrast(getattr(given, text), getattr(given, behind))
        if ratio < CONTRAST_MIN:
            told = f"The contrast to {_MEMBERS[behind]} is {ratio:.1f}:1; {CONTRAST_MIN}:1 is the least."
            yield Violation(pointer, "low_contrast", told)


def _is_page(text: str) -> bool:
    try:
        url = urlsplit(text)
        named = bool(url.hostname) and url.port != 0
    except ValueError:
        return False
    printable = text.isascii() and text.isprintable() and " " not in text
    return url.scheme == "https" and named and "@" not in url.netloc and printable and len(text) <= URL_MAX


def _luminance(color: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
