"""Is Redis there? One PING over a fresh connection, without a client library: importing one costs 0.7 s of a start."""

import asyncio
from urllib.parse import unquote, urlsplit

# Seconds for connect, login and answer. Health checks wait at most 1 s.
PING_SECONDS = 0.5


async def redis_ping(redis_url: str) -> bool:
    """Whether the server at redis://[user:password@]host:port answers PONG in half a second."""
    try:
        async with asyncio.timeout(PING_SECONDS):
            return await _ping(redis_url)
    except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError):
        return False


async def _ping(redis_url: str) -> bool:
    url = urlsplit(redis_url)
    reader, writer = await asyncio.open_connection(
        url.hostname or "127.0.0.1", url.port or 6379, ssl=True if url.scheme == "rediss" else None
    )
    try:
        if url.password:
            names = [unquote(url.username)] if url.username else []
            writer.write(_command("AUTH", *names, unquote(url.password)))
            if not (await reader.readline()).startswith(b"+OK"):
                return False
        writer.write(_command("PING"))
        return (await reader.readline()).startswith(b"+PONG")
    finally:
        writer.close()


def _command(*words: str) -> bytes:
    parts = [f"*{len(words)}\r\n".encode()]
    for word in words:
        raw = word.encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(raw), raw))
    return b"".join(parts)
