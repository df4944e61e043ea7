"""A call's recording, and its download from the provider's API or from an address outside of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from libs.errors import NotFound
from libs.http import Answer
from libs.http.api import RemoteApi, refusal
from libs.spool import Spool

_MEDIA_TYPES = {
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
    "ogg": "audio/ogg",
    "opus": "audio/ogg",
    "m4a": "audio/mp4",
}


@dataclass(frozen=True, slots=True)
class AudioLimits:
    """How large a recording may be and how long its download may take. It lies in a temporary file."""

    max_bytes: int = 256 * 1024 * 1024
    seconds: float = 300.0


@dataclass(frozen=True, slots=True)
class Audio:
    """Close `content` after use."""

    content: Spool
    media_type: str


async def download(api: RemoteApi, url: str, limits: AudioLimits) -> Audio:
    """A recording at a public or signed address, which must not get the API key. NotFound if `url` is empty or the
    storage refuses access."""
    if not url:
        raise NotFound("recording_not_found", f"{api.name} has no recording of this call.")

    async def read(into: Spool) -> Answer:
        answer = await api.client.download(url, into, timeout=limits.seconds, max_bytes=limits.max_bytes)
        if answer.status_code in (401, 403):
            raise NotFound("recording_not_found", f"{api.name} names a recording but refuses access to it.")
        if not 200 <= answer.status_code < 300:
            raise refusal(answer, f"{api.name}'s storage")
        return answer

    return await _spooled(read, api.name, url.partition("?")[0].rpartition(".")[2].lower())


async def download_from_api(api: RemoteApi, path: str, limits: AudioLimits, suffix: str) -> Audio:
    """A recording that the provider's API itself answers with."""

    async def read(into: Spool) -> Answer:
        return await api.download(path, into, seconds=limits.seconds, max_bytes=limits.max_bytes)

    return await _spooled(read, api.name, suffix)


async def _spooled(read: Callable[[Spool], Awaitable[Answer]], name: str, suffix: str) -> Audio:
    """The recording that `read` fetches. Storages often send a generic media type; then the file's suffix decides."""
    content = Spool()
    try:
        answer = await read(content)
        if not content.size:
            raise NotFound("recording_not_found", f"{name} has no recording of this call.")
    except BaseException:
        content.close()
        raise
    media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not media_type.startswith("audio/"):
        media_type = _MEDIA_TYPES.get(suffix, "application/octet-stream")
    return Audio(content, media_type)
