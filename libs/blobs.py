"""Object storage: bytes under a key, in a folder, in memory, or at S3, Google or Azure by URL.

A key is made by the caller from ids, never from a customer's file name. An object is complete or absent: a broken
upload leaves nothing under its key. Imports obstore on first use, so that only processes with blobs pay for it.
"""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from libs.config import ConfigError
from libs.errors import AppError, NotFound, OutOfRange, Unavailable

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=-]*(?:/[A-Za-z0-9][A-Za-z0-9._=-]*)*", re.ASCII)
# Characters of a key. S3 allows 1,024 bytes.
_MAX_KEY = 512
# Bytes per read. Smaller chunks cost more calls, larger ones more memory per download.
_CHUNK = 256 * 1024
# Bytes of a part of an upload: the least that S3 takes. Larger: more memory for each upload.
_PART = 5 * 1024 * 1024
# Parts of one upload that are on their way at a time. More: faster uploads, more memory for each.
_PARTS = 2
_DISK_FULL = "os error 28"  # ENOSPC, as the store's library writes it


class BlobStore:
    """Keys look like org_…/doc_…/original: letters, digits, . _ = - in segments that do not begin with a dot."""

    def __init__(self, store: Any) -> None:
        self._store = store

    @classmethod
    def from_url(cls, url: str) -> "BlobStore":
        """file:///folder (made if absent), memory://, s3://bucket/prefix, gs://…, az://…; credentials come from the
        environment as each provider's own tools read them."""
        from obstore.exceptions import BaseError
        from obstore.store import LocalStore, MemoryStore, from_url

        parts = urlsplit(url)
        if parts.scheme == "memory":
            return cls(MemoryStore())
        if parts.scheme == "file":
            folder = Path(unquote(parts.path))
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return cls(LocalStore(folder))
        try:
            return cls(from_url(url))
        except (BaseError, ValueError) as error:
            raise ConfigError([f"BLOBS_URL: {str(error).strip().splitlines()[0]}"]) from None

    async def put(self, key: str, content: bytes | AsyncIterator[bytes]) -> int:
        """Store the content, replacing what was there; answers its size in bytes."""
        import obstore

        path = _checked(key)
        if isinstance(content, bytes):
            with _Failures():
                await obstore.put_async(self._store, path, content, chunk_size=_PART, max_concurrency=_PARTS)
            return len(content)
        counted = _Counted(content)
        with _Failures():
            await obstore.put_async(self._store, path, counted, chunk_size=_PART, max_concurrency=_PARTS)
        return counted.size

    async def get(self, key: str) -> bytes:
        """The whole content; NotFound("blob_not_found")."""
        import obstore

        with _Failures():
            found = await obstore.get_async(self._store, _checked(key))
            return bytes(await found.bytes_async())

    async def stream(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from `start` up to, not including, `end`, in chunks of about 256 KiB."""
        import obstore

        path = _checked(key)
        with _Failures():
            size = await self.size(key)
            if not 0 <= start <= size or (end is not None and end < start):
                raise OutOfRange("range_not_satisfiable", "Ask for a range inside the object.")
            stop = size if end is None else min(end, size)
            if start == stop:
                return
            options: Any = {"range": (start, stop)}
            found = await obstore.get_async(self._store, path, options=options)
            async for chunk in found.stream(min_chunk_size=_CHUNK):
                yield bytes(chunk)

    async def delete(self, key: str) -> None:
        """Remove the object; removing what is not there is fine."""
        import obstore

        try:
            with _Failures():
                await obstore.delete_async(self._store, _checked(key))
        except NotFound:
            pass

    async def keys(self, folder: str) -> AsyncIterator[str]:
        """Every key under `folder/`, in no order."""
        import obstore

        with _Failures():
            async for batch in obstore.list(self._store, prefix=_checked(folder)):
                for found in batch:
                    yield str(found["path"])

    async def size(self, key: str) -> int:
        """Its size in bytes; NotFound("blob_not_found")."""
        import obstore

        with _Failures():
            return int((await obstore.head_async(self._store, _checked(key)))["size"])


class _Counted:
    """Counts what flows through to the store."""

    def __init__(self, source: AsyncIterator[bytes]) -> None:
        self._source = source
        self.size = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._source:
            self.size += len(chunk)
            yield chunk


class _Failures:
    """Translates the store's errors. Their texts can contain paths and addresses, so they are dropped."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, FileNotFoundError):
            raise NotFound("blob_not_found", "The stored object is gone.") from error
        if error is None or isinstance(error, AppError) or kind is None or not _from_store(kind):
            return
        if _DISK_FULL in str(error):
            raise Unavailable("storage_full", "Object storage is full. Nothing was stored.") from error
        raise Unavailable("storage_unavailable", "Object storage does not answer. Try again.", retry_after=1) from error


def _from_store(kind: type[BaseException]) -> bool:
    return issubclass(kind, OSError) or kind.__module__.startswith("obstore")


def _checked(key: str) -> str:
    if len(key) > _MAX_KEY or _KEY.fullmatch(key) is None:
        raise ValueError("a blob key is made of plain segments of ids")
    return key
