"""Vapi's list of calls, one call, and its recording at the address that the call contains.

Source: the official `vapi-server-sdk` (calls.list, calls.get), whose models parse the answers of the tests' local
server. The list is bare, newest first, without a next page: the next page is requested by the time of the last call.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from libs import untrusted_json as fields
from libs.http.api import RemoteApi, read_json, read_object, unreadable
from providers.interface.calls import EndedCalls
from providers.interface.recordings import Audio, AudioLimits, download
from providers.vapi.report import recording_url, wrap_call

# A listed call contains its whole conversation, so a page has fewer calls than at other providers.
PAGE_SIZE = 50
# Calls per page: the API's maximum.
_MAX_PAGE_SIZE = 1_000
_ENDED = "ended"
# Vapi keeps times in microseconds and lists them in milliseconds, so the next page starts with the last call's
# millisecond.
_STEP = timedelta(milliseconds=1)


async def list_ended(api: RemoteApi, since: datetime, cursor: str) -> EndedCalls:
    """A cursor is "<time> <limit>": list calls before this time, this many."""
    until, _, size = cursor.partition(" ")
    limit = int(size or PAGE_SIZE)
    query = {"limit": limit, "createdAtGe": _stamp(since), "createdAtLt": until}
    listed = read_json(await api.get("/call", query), api.name)
    if not isinstance(listed, list) or not all(isinstance(call, dict) for call in listed):
        raise unreadable(api.name)
    ended = [fields.text(call, "id", 200) for call in listed if call.get("status") == _ENDED]
    return EndedCalls(tuple(call_id for call_id in ended if call_id), _next_cursor(api, listed, until, limit))


async def fetch_report(api: RemoteApi, call_id: str) -> bytes:
    return wrap_call(await _call(api, call_id))


async def fetch_recording(api: RemoteApi, call_id: str, limits: AudioLimits) -> Audio:
    """Asks for the address each time, because a signed address expires."""
    return await download(api, recording_url(await _call(api, call_id)), limits)


async def _call(api: RemoteApi, call_id: str) -> dict[str, Any]:
    return read_object(await api.get(f"/call/{quote(call_id, safe='')}"), api.name)


def _next_cursor(api: RemoteApi, listed: Sequence[dict[str, Any]], until: str, limit: int) -> str:
    """Empty after the last page. If all calls of a page share one millisecond, the limit is doubled to get past it."""
    if len(listed) < limit:
        return ""
    times = [fields.iso_moment(call, "createdAt") for call in listed]
    oldest = min((time for time in times if time is not None), default=None)
    if oldest is None:
        raise unreadable(api.name)
    following = _stamp(oldest + _STEP)
    if following != until:
        return f"{following} {PAGE_SIZE}"
    if limit >= _MAX_PAGE_SIZE:
        raise unreadable(api.name)
    return f"{until} {min(limit * 2, _MAX_PAGE_SIZE)}"


def _stamp(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
