"""Bland's list of calls, one call, and its recording at the address that the call contains.

Source: docs.bland.ai, "List Calls" and "Call Details". The list is paged by index. `start_date` has no time and no time
zone, so it is set a day early and the calls are filtered by `created_at`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from libs import untrusted_json as fields
from libs.http.api import RemoteApi, read_object, unreadable
from providers.bland.report import recording_url, wrap_call
from providers.interface.calls import EndedCalls
from providers.interface.recordings import Audio, AudioLimits, download

# Calls per page of the API.
PAGE_SIZE = 100


async def list_ended(api: RemoteApi, since: datetime, cursor: str) -> EndedCalls:
    """A cursor is the index of the page's first call. Oldest first, so that new calls do not move the pages."""
    index = int(cursor or 0)
    start_date = (since.astimezone(UTC) - timedelta(days=1)).date().isoformat()
    query = {"from": index, "limit": PAGE_SIZE, "ascending": "true", "start_date": start_date}
    page = read_object(await api.get("/v1/calls", query), api.name)
    listed = page.get("calls")
    if not isinstance(listed, list):
        raise unreadable(api.name)
    ended = (call for call in fields.items(page, "calls") if _has_ended_since(call, since))
    ids = (fields.text(call, "call_id", 200) for call in ended)
    more = str(index + len(listed)) if len(listed) >= PAGE_SIZE else ""
    return EndedCalls(tuple(call_id for call_id in ids if call_id), more)


def _has_ended_since(call: Mapping[str, Any], since: datetime) -> bool:
    created_at = fields.iso_moment(call, "created_at")
    return fields.flag(call, "completed") and created_at is not None and created_at > since


async def fetch_report(api: RemoteApi, call_id: str) -> bytes:
    return wrap_call(await _call(api, call_id))


async def fetch_recording(api: RemoteApi, call_id: str, limits: AudioLimits) -> Audio:
    return await download(api, recording_url(await _call(api, call_id)), limits)


async def _call(api: RemoteApi, call_id: str) -> dict[str, Any]:
    return read_object(await api.get(f"/v1/calls/{quote(call_id, safe='')}"), api.name)
