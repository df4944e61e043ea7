"""Reads an uploaded logo: of a type that every browser shows, and of a bounded size. It decodes no pixel."""

from __future__ import annotations

import io
import re

import imagesize  # type: ignore[import-untyped]

from libs.errors import InvalidArgument, Violation

from .domain.white_label import Logo

# Bytes of a logo. It is kept in the database and read with a page.
LOGO_MAX = 256 * 1024
# Pixels of a logo's longer side; a browser decodes all of them, whatever it shows.
LOGO_SIDE_MAX = 2_048
# Media type -> how its files begin. No SVG, which can carry scripts.
_IMAGES = {
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
}


def read_logo(content: bytes) -> Logo:
    """The image, of a type and a size that every browser shows; raises with the violation."""
    media_type = next((kind for kind, begins in _IMAGES.items() if begins.match(content)), "")
    width, height = imagesize.get(io.BytesIO(content)) if media_type else (-1, -1)
    if len(content) > LOGO_MAX:
        raise _bad_logo("too_long", f"At most {LOGO_MAX // 1024} KiB.")
    if width < 1 or height < 1:
        raise _bad_logo("invalid_format", "Must be a PNG, JPEG or WebP image.")
    if max(width, height) > LOGO_SIDE_MAX:
        raise _bad_logo("too_large", f"At most {LOGO_SIDE_MAX} pixels in either direction.")
    return Logo(media_type, content)


def _bad_logo(code: str, detail: str) -> InvalidArgument:
    return InvalidArgument(
        "validation_failed", "The settings are not valid.", violations=[Violation("#/logo", code, detail)]
    )
