"""The content codings that the gateway can produce (RFC 9110, 8.4.1), at their fastest levels."""

import asyncio
import gzip
from collections.abc import Callable

import zstandard

# Bytes from which a response is compressed. Below it the headers outweigh what compression saves.
MIN_BYTES = 1024
# Compressing more than this would block the event loop for several milliseconds.
_IN_THREAD_BYTES = 128 * 1024


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, compresslevel=1, mtime=0)


def _zstd(body: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=1).compress(body)


COMPRESS: dict[str, Callable[[bytes], bytes]] = {"gzip": _gzip, "zstd": _zstd}


async def compress(body: bytes, coding: str) -> bytes:
    """The body in one coding; a large one is compressed in a thread."""
    return await asyncio.to_thread(COMPRESS[coding], body) if len(body) > _IN_THREAD_BYTES else COMPRESS[coding](body)


async def compress_all(body: bytes) -> dict[str, bytes]:
    """The body in every coding, plain under the empty name."""
    return {"": body, **{coding: await compress(body, coding) for coding in COMPRESS}}
