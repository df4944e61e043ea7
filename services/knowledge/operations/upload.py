"""Receives an upload: bytes stream to object storage while they are counted, hashed and recognized.

Nothing of the customer's is trusted: the key is made of our ids, the kind is told from the content, the size is
bounded while it flows.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import AsyncIterator
from contextlib import suppress

from libs.blobs import BlobStore
from libs.errors import AppError, InvalidArgument
from libs.ids import new_id
from services.knowledge.domain.entry import Upload
from services.knowledge.domain.media import HEAD_BYTES, recognize
from services.knowledge.domain.validation import plain_file_name
from services.knowledge.storage.entries import Documents

_log = logging.getLogger(__name__)


class Uploads:
    def __init__(self, blobs: BlobStore, documents: Documents, most_bytes: int, *, pictures: bool = False) -> None:
        self._blobs = blobs
        self._documents = documents
        self._most_bytes = most_bytes
        self._pictures = pictures

    async def receive(self, org_id: str, file_name: str, declared: str, data: AsyncIterator[bytes]) -> Upload:
        """Raises InvalidArgument(empty_document | unsupported_media_type | payload_too_large) before or while it reads;
        then nothing stays stored."""
        name = plain_file_name(file_name)
        head, rest = await _head(data)
        media = recognize(name, declared, head, pictures=self._pictures)
        document_id = new_id("doc")
        key = f"{org_id}/{document_id}/original"
        flow = _Flow(head, rest, self._most_bytes)
        try:
            await self._blobs.put(key, flow.chunks())
        except Exception:
            if flow.refusal is not None:
                raise flow.refusal from None
            raise
        return Upload(document_id, name, media, flow.size, flow.digest.hexdigest(), key)

    async def forget_unless_kept(self, org_id: str, upload: Upload) -> None:
        """Removes the bytes of an upload whose transaction did not commit; keeps them where that is unknown."""
        with suppress(AppError):
            if not await self._documents.exists(org_id, upload.document_id):
                await self._blobs.delete(upload.blob_key)
                return
        _log.info("an upload's bytes were kept")


async def _head(data: AsyncIterator[bytes]) -> tuple[bytes, AsyncIterator[bytes]]:
    """Enough of the beginning to recognize the kind, and what follows it."""
    head = b""
    async for piece in data:
        head += piece
        if len(head) >= HEAD_BYTES:
            break
    return head, data


class _Flow:
    """The bytes on their way to the store, counted and hashed."""

    def __init__(self, head: bytes, rest: AsyncIterator[bytes], most_bytes: int) -> None:
        self._head = head
        self._rest = rest
        self._most_bytes = most_bytes
        self.size = 0
        self.digest = hashlib.sha256()
        self.refusal: InvalidArgument | None = None

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self._take(self._head)
        async for piece in self._rest:
            if piece:
                yield self._take(piece)

    def _take(self, piece: bytes) -> bytes:
        self.size += len(piece)
        if self.size > self._most_bytes:
            self.refusal = too_large(self._most_bytes)
            raise self.refusal
        self.digest.update(piece)
        return piece


def too_large(most_bytes: int) -> InvalidArgument:
    detail = f"The file is larger than {most_bytes // (1024 * 1024)} MiB. Split it and upload the parts."
    return InvalidArgument("payload_too_large", detail)
