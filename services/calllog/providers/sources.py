"""What a provider's API can be asked about calls: the one shape that the jobs know. Plain values and a protocol.

Errors of every method are RemoteApi's: Unauthenticated, NotFound, ResourceExhausted, Unavailable.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from libs.errors import AppError, NotFound
from libs.http import Answer, OutboundClient
from libs.http.api import RemoteApi, refusal

_MEDIA_OF_ENDING = {
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
    "ogg": "audio/ogg",
    "opus": "audio/ogg",
    "m4a": "audio/mp4",
}


@dataclass(frozen=True, slots=True)
class Account:
    """An organisation's account; an empty base_url means the provider's own address."""

    api_key: str = field(repr=False)
    base_url: str = ""


@dataclass(frozen=True, slots=True)
class AudioLimits:
    """How large a recording may be and how long its download may take; it is held in memory."""

    max_bytes: int = 256 * 1024 * 1024
    seconds: float = 300.0


@dataclass(frozen=True, slots=True)
class EndedCalls:
    """One page of the list: the calls that have ended. `next_cursor` is empty on the last page."""

    ids: tuple[str, ...]
    next_cursor: str


@dataclass(frozen=True, slots=True)
class Audio:
    content: bytes
    media_type: str


class CallSource(Protocol):
    """A module of this room, one for each provider."""

    NAME: str

    def open_api(self, client: OutboundClient, account: Account) -> RemoteApi: ...

    async def list_ended(self, api: RemoteApi, since: datetime, cursor: str) -> EndedCalls:
        """Calls that began after `since` and have ended."""

    async def fetch_report(self, api: RemoteApi, call_id: str) -> bytes:
        """A call in the envelope that its webhook would have carried."""

    async def fetch_recording(self, api: RemoteApi, call_id: str, limits: AudioLimits) -> Audio:
        """The whole recording; NotFound when there is none."""


async def download(api: RemoteApi, url: str, limits: AudioLimits) -> Audio:
    """A recording that lies elsewhere than at the API: a public or signed address, which gets no key."""
    answer = await api.client.request("GET", url, timeout=limits.seconds, max_bytes=limits.max_bytes)
    if answer.status_code in (401, 403):
        raise NotFound("recording_not_found", f"{api.name} names a recording that it does not give out.")
    if not 200 <= answer.status_code < 300:
        raise _of_storage(answer, api.name)
    return audio_of(answer, api.name, url.partition("?")[0].rpartition(".")[2].lower())


def audio_of(answer: Answer, name: str, ending: str) -> Audio:
    """The recording in an answer; storages that call it a stream of bytes are believed by the name's ending."""
    if not answer.content:
        raise NotFound("recording_not_found", f"{name} has no recording of this call.")
    media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not media_type.startswith("audio/"):
        media_type = _MEDIA_OF_ENDING.get(ending, "application/octet-stream")
    return Audio(answer.content, media_type)


def _of_storage(answer: Answer, name: str) -> AppError:
    return refusal(answer, f"{name}'s storage")
