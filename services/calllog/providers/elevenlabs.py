"""ElevenLabs' list of conversations, one conversation, and its recording.

Source: the official `elevenlabs` SDK (conversational_ai.conversations.list, .get, .audio.get), whose models the answers
of the tests' stand-in parse with. Errors: Unauthenticated for a refused key, NotFound, ResourceExhausted with
retry_after when asked to slow down, Unavailable for everything that may pass.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from libs.errors import AppError, NotFound, ResourceExhausted, Unauthenticated, Unavailable
from libs.http import Answer, OutboundClient
from services.calllog.domain import fields

ADDRESS = "https://api.elevenlabs.io"
PAGE_SIZE = 100
_MAX_CONVERSATION_BYTES = 16 * 1024 * 1024
_MAX_AUDIO_BYTES = 256 * 1024 * 1024
_AUDIO_SECONDS = 300.0
_ENDED = ("done", "failed")


@dataclass(frozen=True, slots=True)
class Account:
    """An organisation's account; an empty base_url means the provider's own address."""

    api_key: str
    base_url: str = ""


@dataclass(frozen=True, slots=True)
class Conversations:
    """One page of the list: the conversations that have ended. `next_cursor` is empty on the last page."""

    ended_ids: tuple[str, ...]
    next_cursor: str


@dataclass(frozen=True, slots=True)
class Audio:
    content: bytes
    media_type: str


async def list_conversations(client: OutboundClient, account: Account, since: datetime, cursor: str) -> Conversations:
    """Conversations that began after `since`, newest first."""
    query: dict[str, Any] = {"page_size": PAGE_SIZE, "call_start_after_unix": int(since.timestamp())}
    if cursor:
        query["cursor"] = cursor
    page = _object(await _get(client, account, f"/v1/convai/conversations?{urlencode(query)}"))
    listed = list(fields.items(page, "conversations"))
    ended = tuple(fields.text(item, "conversation_id", 200) for item in listed if item.get("status") in _ENDED)
    more = fields.text(page, "next_cursor", 2_000) if fields.flag(page, "has_more") else ""
    return Conversations(tuple(conversation for conversation in ended if conversation), more)


async def fetch_conversation(client: OutboundClient, account: Account, conversation_id: str) -> Mapping[str, Any]:
    return _object(await _get(client, account, f"/v1/convai/conversations/{quote(conversation_id, safe='')}"))


async def fetch_audio(client: OutboundClient, account: Account, conversation_id: str) -> Audio:
    """The whole recording."""
    path = f"/v1/convai/conversations/{quote(conversation_id, safe='')}/audio"
    answer = await _get(client, account, path, seconds=_AUDIO_SECONDS, max_bytes=_MAX_AUDIO_BYTES)
    if not answer.content:
        raise NotFound("recording_not_found", "ElevenLabs has no recording of this conversation.")
    media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    return Audio(answer.content, media_type if media_type.startswith("audio/") else "audio/mpeg")


async def _get(
    client: OutboundClient, account: Account, path: str, *, seconds: float = 30.0,
    max_bytes: int = _MAX_CONVERSATION_BYTES,
) -> Answer:  # fmt: skip
    address = (account.base_url or ADDRESS).rstrip("/")
    answer = await client.request(
        "GET", address + path, headers={"xi-api-key": account.api_key}, timeout=seconds, max_bytes=max_bytes
    )
    if answer.status_code != 200:
        raise _refusal(answer)
    return answer


def _refusal(answer: Answer) -> AppError:
    if answer.status_code in (401, 403):
        return Unauthenticated("provider_key_refused", "ElevenLabs refused the API key. Enter a valid one.")
    if answer.status_code == 404:
        return NotFound("conversation_not_found", "ElevenLabs has no such conversation.")
    if answer.status_code == 429:
        wait = answer.headers.get("retry-after", "")
        seconds = float(wait) if wait.isascii() and wait.isdigit() else 30.0
        return ResourceExhausted("provider_rate_limited", "ElevenLabs asked to slow down.", retry_after=seconds)
    return Unavailable("provider_failed", f"ElevenLabs answered {answer.status_code}.")


def _object(answer: Answer) -> Mapping[str, Any]:
    try:
        document = json.loads(answer.content)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise Unavailable("provider_answer_unreadable", "ElevenLabs answered with something unexpected.")
    return document
