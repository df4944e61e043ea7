"""A call's recording, and its download from an address outside of the provider's API."""

from dataclasses import dataclass

from libs.errors import NotFound
from libs.http import Answer
from libs.http.api import RemoteApi, refusal

_MEDIA_TYPES = {
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
    "ogg": "audio/ogg",
    "opus": "audio/ogg",
    "m4a": "audio/mp4",
}


@dataclass(frozen=True, slots=True)
class AudioLimits:
    """How large a recording may be and how long its download may take. It is held in memory."""

    max_bytes: int = 256 * 1024 * 1024
    seconds: float = 300.0


@dataclass(frozen=True, slots=True)
class Audio:
    content: bytes
    media_type: str


async def download(api: RemoteApi, url: str, limits: AudioLimits) -> Audio:
    """A recording at a public or signed address, which must not get the API key. NotFound if `url` is empty or the
    storage refuses access."""
    if not url:
        raise NotFound("recording_not_found", f"{api.name} has no recording of this call.")
    answer = await api.client.request("GET", url, timeout=limits.seconds, max_bytes=limits.max_bytes)
    if answer.status_code in (401, 403):
        raise NotFound("recording_not_found", f"{api.name} names a recording but refuses access to it.")
    if not 200 <= answer.status_code < 300:
        raise refusal(answer, f"{api.name}'s storage")
    return audio_of(answer, api.name, url.partition("?")[0].rpartition(".")[2].lower())


def audio_of(answer: Answer, name: str, suffix: str) -> Audio:
    """The recording in an answer. Storages often send a generic media type, so the file's suffix decides then."""
    if not answer.content:
        raise NotFound("recording_not_found", f"{name} has no recording of this call.")
    media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not media_type.startswith("audio/"):
        media_type = _MEDIA_TYPES.get(suffix, "application/octet-stream")
    return Audio(answer.content, media_type)
