"""ElevenLabs' list of conversations, one conversation, and its recording.

Source: the official `elevenlabs` SDK (conversational_ai.conversations.list, .get, .audio.get), whose models the answers
of the tests' stand-in parse with.
"""

from datetime import datetime
from urllib.parse import quote

from libs.http import OutboundClient
from libs.http.api import RemoteApi, read_object
from services.calllog.domain import fields
from services.calllog.domain.elevenlabs import wrap_conversation

from .sources import Account, Audio, AudioLimits, EndedCalls, audio_of

NAME = "ElevenLabs"
ADDRESS = "https://api.elevenlabs.io"
PAGE_SIZE = 100
_CONVERSATIONS = "/v1/convai/conversations"
_ENDED = ("done", "failed")


def open_api(client: OutboundClient, account: Account) -> RemoteApi:
    return RemoteApi(client, NAME, account.base_url or ADDRESS, {"xi-api-key": account.api_key})


async def list_ended(api: RemoteApi, since: datetime, cursor: str) -> EndedCalls:
    query = {"page_size": PAGE_SIZE, "call_start_after_unix": int(since.timestamp()), "cursor": cursor}
    page = read_object(await api.get(_CONVERSATIONS, query), NAME)
    listed = list(fields.items(page, "conversations"))
    ended = tuple(fields.text(item, "conversation_id", 200) for item in listed if item.get("status") in _ENDED)
    more = fields.text(page, "next_cursor", 2_000) if fields.flag(page, "has_more") else ""
    return EndedCalls(tuple(conversation for conversation in ended if conversation), more)


async def fetch_report(api: RemoteApi, call_id: str) -> bytes:
    return wrap_conversation(read_object(await api.get(f"{_CONVERSATIONS}/{quote(call_id, safe='')}"), NAME))


async def fetch_recording(api: RemoteApi, call_id: str, limits: AudioLimits) -> Audio:
    path = f"{_CONVERSATIONS}/{quote(call_id, safe='')}/audio"
    return audio_of(await api.get(path, seconds=limits.seconds, max_bytes=limits.max_bytes), NAME, "mp3")
