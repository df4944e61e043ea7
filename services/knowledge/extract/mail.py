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

_HEADERS = ("Subject", "From", "To", "Cc", "Date")
# Attachments of a message that are read, those of messages attached to it among them.
_MOST_ATTACHMENTS = 50


def read_mail(content: bytes, read: Reader) -> Iterator[Block]:
    """`read` reads a body or an attachment. An attachment that it refuses is named and not read."""
    message = message_from_bytes(content, policy=policy.default)
    waiting, opened = [message], 0
    while waiting:
        current = waiting.pop(0)
        yield from _headers(current)
        yield from _body(current, read)
        for part in current.iter_attachments() if current.is_multipart() else ():
            opened += 1
            if opened > _MOST_ATTACHMENTS:
                return
            if part.get_content_type() == "message/rfc822":
                waiting.append(part.get_content())
            else:
                yield from _attachment(part, read)


def _headers(message: EmailMessage) -> Iterator[Block]:
    named = [f"{name}: {clean_paragraph(str(message[name]))}" for name in _HEADERS if message[name]]
    if named:
        yield Block("; ".join(named))


def _body(message: EmailMessage, read: Reader) -> Iterator[Block]:
    """The richest form that has text."""
    for kind, media in (("html", HTML), ("plain", TEXT)):
        body = cast("EmailMessage | None", message.get_body((kind,)))
        if body is not None and (blocks := list(read(_text(body).encode("utf-8-sig"), media))):
            yield from blocks
            return


def _text(part: EmailMessage) -> str:
    try:
        return str(part.get_content())
    except (LookupError, UnicodeError):  # a charset that no one knows
        return decode(cast("bytes", part.get_payload(decode=True)))


def _attachment(part: EmailMessage, read: Reader) -> Iterator[Block]:
    name, content = part.get_filename() or "", part.get_payload(decode=True)
    if name:
        yield Block(f"Attachment: {clean_paragraph(name)}")
    if isinstance(content, bytes):
        with suppress(InvalidArgument, Refusal):
            media = recognize(name, part.get_content_type(), content[:HEAD_BYTES])
            yield from (replace(block, page=0) for block in read(content, media))
