"""ElevenLabs' list of conversations, one conversation, and its recording.

Source: the official `elevenlabs` SDK (conversational_ai.conversations.list, .get, .audio.get). Its models parse the
answers of the tests' local server.
"""

from datetime import datetime
from urllib.parse import quote

from libs import untrusted_json as fields
from libs.http.api import RemoteApi, read_object
from providers.elevenlabs.report import wrap_conversation
from providers.interface.calls import EndedCalls
from providers.interface.recordings import Audio, AudioLimits, download_from_api

# Conversations per page: the API's maximum.
PAGE_SIZE = 100
_CONVERSATIONS = "/v1/convai/conversations"
_ENDED = ("done", "failed")


async def list_ended(api: RemoteApi, since: datetime, cursor: str) -> EndedCalls:
    query = {"page_size": PAGE_SIZE, "call_start_after_unix": int(since.timestamp()), "cursor": cursor}
    page = read_object(await api.get(_CONVERSATIONS, query), api.name)
    listed = list(fields.items(page, "conversations"))
    ended = tuple(fields.text(item, "conversation_id", 200) for item in listed if item.get("status") in _ENDED)
    more = fields.text(page, "next_cursor", 2_000) if fields.flag(page, "has_more") else ""
    return EndedCalls(tuple(conversation for conversation in ended if conversation), more)


async def fetch_report(api: RemoteApi, call_id: str) -> bytes:
    return wrap_conversation(read_object(await api.get(f"{_CONVERSATIONS}/{quote(call_id, safe='')}"), api.name))


async def fetch_recording(api: RemoteApi, call_id: str, limits: AudioLimits) -> Audio:
    path = f"{_CONVERSATIONS}/{quote(call_id, safe='')}/audio"
    return await download_from_api(api, path, limits, "mp3")
