"""Vapi's list of calls, one call, and its recording, which lies at an address that the call names.

Source: the official `vapi-server-sdk` (calls.list, calls.get), whose models parse what the tests' stand-in answers. The
list is bare, newest first, and names no next page: the next one is asked for by the time of the last call.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from libs.errors import NotFound
from libs.http import OutboundClient
from libs.http.api import RemoteApi, read_json, read_object, unreadable
from services.calllog.domain import fields
from services.calllog.domain.vapi import recording_url, wrap_call

from .sources import Account, Audio, AudioLimits, EndedCalls, download

NAME = "Vapi"
ADDRESS = "https://api.vapi.ai"
# Listed calls carry their whole conversations: fewer of them in an answer than elsewhere.
PAGE_SIZE = 50
_MAX_PAGE_SIZE = 1_000
_ENDED = "ended"
# Times are told in milliseconds and kept more finely, so the next page begins with the last call's whole millisecond.
_STEP = timedelta(milliseconds=1)


def open_api(client: OutboundClient, account: Account) -> RemoteApi:
    return RemoteApi(client, NAME, account.base_url or ADDRESS, {"authorization": f"Bearer {account.api_key}"})


async def list_ended(api: RemoteApi, since: datetime, cursor: str) -> EndedCalls:
    """A cursor is the time before which to go on and how many to ask for."""
    until, _, size = cursor.partition(" ")
    limit = int(size or PAGE_SIZE)
    query = {"limit": limit, "createdAtGe": _stamp(since), "createdAtLt": until}
    listed = read_json(await api.get("/call", query), NAME)
    if not isinstance(listed, list) or not all(isinstance(call, dict) for call in listed):
        raise unreadable(NAME)
    ended = [fields.text(call, "id", 200) for call in listed if call.get("status") == _ENDED]
    return EndedCalls(tuple(call_id for call_id in ended if call_id), _next_cursor(listed, until, limit))


async def fetch_report(api: RemoteApi, call_id: str) -> bytes:
    return wrap_call(await _call(api, call_id))


async def fetch_recording(api: RemoteApi, call_id: str, limits: AudioLimits) -> Audio:
    """The address is asked for anew each time: a signed one expires."""
    url = recording_url(await _call(api, call_id))
    if not url:
        raise NotFound("recording_not_found", "Vapi has no recording of this call.")
    return await download(api, url, limits)


async def _call(api: RemoteApi, call_id: str) -> dict[str, Any]:
    return read_object(await api.get(f"/call/{quote(call_id, safe='')}"), NAME)


def _next_cursor(listed: Sequence[dict[str, Any]], until: str, limit: int) -> str:
    """Empty after the last page. A page of one single millisecond would lead to itself, so more is asked for."""
    if len(listed) < limit:
        return ""
    times = [fields.iso_moment(call, "createdAt") for call in listed]
    oldest = min((time for time in times if time is not None), default=None)
    if oldest is None:
        raise unreadable(NAME)
    following = _stamp(oldest + _STEP)
    if following != until:
        return f"{following} {PAGE_SIZE}"
    if limit >= _MAX_PAGE_SIZE:
        raise unreadable(NAME)
    return f"{until} {min(limit * 2, _MAX_PAGE_SIZE)}"


def _stamp(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
