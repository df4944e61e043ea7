"""How an organization may show itself: readable colors, images that browsers show, hosts that DNS can have."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from libs.errors import InvalidArgument
from services.identity.domain.white_label import WhiteLabel, contrast, edit_white_label
from services.identity.host_proofs import read_host
from services.identity.logos import LOGO_MAX, read_logo

NOW = datetime(2026, 1, 2, tzinfo=UTC)
BAD_HOSTS = (
    "", "localhost", "127.0.0.1", "1.2.3", "::1", "a..b", "-a.example", "a b.example", "x" * 64 + ".example",
    "https://example.com", "example.com:80", "*.example.com", "a\x00.example", "xn--a.example",
)  # fmt: skip


def png(width: int, height: int) -> bytes:
    """The head of a PNG of this size."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head)) + b"\x00" * 20


@pytest.mark.parametrize(
    ("one", "other", "ratio"), [("#000000", "#ffffff", 21.0), ("#ffffff", "#ffffff", 1.0), ("#767676", "#ffffff", 4.54)]
)
def test_the_contrast_is_that_of_the_guidelines(one: str, other: str, ratio: float) -> None:
    assert contrast(one, other) == pytest.approx(ratio, abs=0.005)
    assert contrast(other, one) == contrast(one, other)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"product_name": " \u200b"}, "#/productName"),
        ({"product_name": "x" * 61}, "#/productName"),
        ({"product_name": "a\x07b"}, "#/productName"),
        ({"primary_color": "red"}, "#/primaryColor"),
        ({"primary_color": "#ffffff"}, "#/primaryTextColor"),
        ({"text_color": "#777777"}, "#/textColor"),
        ({"support_email": "someone"}, "#/supportEmail"),
        ({"support_url": "http://example.com"}, "#/supportUrl"),
        ({"support_url": "javascript:alert(1)"}, "#/supportUrl"),
        ({"support_url": "https://user@example.com"}, "#/supportUrl"),
        ({"support_url": "https://[bad"}, "#/supportUrl"),
    ],
)
def test_what_cannot_be_shown_is_named(change: dict[str, str], pointer: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        edit_white_label(WhiteLabel(), replace(WhiteLabel(), **change), NOW)  # type: ignore[arg-type]
    assert [found.pointer for found in refused.value.violations] == [pointer]


def test_settings_are_trimmed_and_keep_their_version_when_nothing_differs() -> None:
    asked = replace(WhiteLabel(), product_name=" Engines ", primary_color="#7C2D12", support_url="https://example.com/")
    edited = edit_white_label(WhiteLabel(), asked, NOW)
    assert (edited.product_name, edited.primary_color, edited.version) == ("Engines", "#7c2d12", 1)
    assert edit_white_label(edited, edited, NOW) is edited


def test_a_logo_is_an_image_of_a_bounded_size() -> None:
    assert read_logo(png(512, 128)).media_type == "image/png"
    bad = {
        "invalid_format": (b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"\x89PNG\r\n\x1a\n", png(0, 0)),
        "too_large": (png(2_049, 1), png(1, 100_000)),
        "too_long": (png(10, 10) + b"\x00" * LOGO_MAX,),
    }
    for code, contents in bad.items():
        for content in contents:
            with pytest.raises(InvalidArgument) as refused:
                read_logo(content)
            assert [(found.pointer, found.code) for found in refused.value.violations] == [("#/logo", code)]


def test_a_host_is_a_name_in_the_form_of_dns() -> None:
    assert read_host(" App.Example.COM. ") == "app.example.com"
    assert read_host("bücher.example") == "xn--bcher-kva.example"
    for text in BAD_HOSTS:
        with pytest.raises(InvalidArgument):
            read_host(text)
