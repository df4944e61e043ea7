"""Blocks from e-mail by the standard library: the headers that a person sees, the body, and documents attached."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import cast

from libs.errors import InvalidArgument
from services.knowledge.domain.blocks import Block
from services.knowledge.domain.media import HEAD_BYTES, HTML, TEXT, MediaType, recognize
from services.knowledge.extract.cleaning import clean_paragraph
from services.knowledge.extract.encoding import decode
from services.knowledge.extract.refusal import Refusal

Reader = Callable[[bytes, MediaType], Iterator[Block]]

_BODIES = {"text/html": HTML, "text/plain": TEXT}
# Of alternatives these say more than plain text.
_RICH = ("text/html", "multipart/related", "multipart/mixed")
_HEADERS = ("Subject", "From", "To", "Cc", "Date")
# Attachments of a message that are read, with those of messages attached to it among them.
_MOST_ATTACHMENTS = 50


def read_mail(content: bytes, read: Reader) -> Iterator[Block]:
    """`read` reads a body or an attachment. An attachment that it refuses is named and not read."""
    waiting, opened = [message_from_bytes(content, policy=policy.default)], 0
    while waiting:
        current = waiting.pop(0)
        yield from _headers(current)
        for part in _shown(current, read):
            if part.get_content_type() == "message/rfc822":
                waiting += cast("list[EmailMessage]", part.get_payload())
            elif part.get_content_type() in _BODIES and not part.is_attachment() and not part.get_filename():
                yield from _body(part, read)
            elif opened < _MOST_ATTACHMENTS:
                opened += 1
                yield from _attachment(part, read)


def _headers(message: EmailMessage) -> Iterator[Block]:
    named = [f"{name}: {clean_paragraph(str(message[name]))}" for name in _HEADERS if message[name]]
    if named:
        yield Block("; ".join(named))


def _shown(message: EmailMessage, read: Reader) -> Iterator[EmailMessage]:
    """The parts in their order; of alternatives the last one that is a container or HTML with text, else the first."""
    open_parts = [message]
    while open_parts:
        part = open_parts.pop(0)
        inner = cast("list[EmailMessage]", part.get_payload()) if part.get_content_maintype() == "multipart" else None
        if not isinstance(inner, list):
            yield part
        elif part.get_content_subtype() == "alternative":
            rich = [one for one in inner if one.get_content_type() in _RICH and _says(one, read)]
            open_parts[:0] = rich[-1:] or inner[:1]
        else:
            open_parts[:0] = inner


def _says(part: EmailMessage, read: Reader) -> bool:
    return part.is_multipart() or any(True for _ in _body(part, read))


def _body(part: EmailMessage, read: Reader) -> Iterator[Block]:
    content, media = part.get_payload(decode=True), _BODIES[part.get_content_type()]
    if isinstance(content, bytes):
        text = decode(content, html=media is HTML, label=part.get_content_charset(""))
        yield from read(text.encode("utf-8-sig"), media)


def _attachment(part: EmailMessage, read: Reader) -> Iterator[Block]:
    name, content = part.get_filename() or "", part.get_payload(decode=True)
    if name:
        yield Block(f"Attachment: {clean_paragraph(name)}")
    if isinstance(content, bytes):
        with suppress(InvalidArgument, Refusal):
            media = recognize(name, part.get_content_type(), content[:HEAD_BYTES])
            yield from (replace(block, page=0) for block in read(content, media))
