"""Retell's list of calls, one call, and its recording at the address that the call contains.

Source: the official `retell-sdk` (call.list, call.retrieve), whose models parse the answers of the tests' local
server. A call that never began has no start time, so the search by start time does not find it. It costs nothing.
"""

from datetime import datetime
from typing import Any
from urllib.parse import quote

from libs import untrusted_json as fields
from libs.http.api import RemoteApi, read_object
from providers.interface.calls import EndedCalls
from providers.interface.recordings import Audio, AudioLimits, download
from providers.retell.report import recording_url, wrap_call

# Calls per page of the API.
PAGE_SIZE = 100
_ENDED = ["ended", "error", "not_connected"]


async def list_ended(api: RemoteApi, since: datetime, cursor: str) -> EndedCalls:
    body: dict[str, Any] = {
        "filter_criteria": {
            "call_status": {"op": "in", "type": "enum", "value": _ENDED},
            "start_timestamp": {"op": "gt", "type": "number", "value": int(since.timestamp() * 1_000)},
        },
        "limit": PAGE_SIZE,
        "sort_order": "descending",
        **({"pagination_key": cursor} if cursor else {}),
    }
    page = read_object(await api.post("/v3/list-calls", body), api.name)
    listed = [fields.text(item, "call_id", 200) for item in fields.items(page, "items")]
    more = fields.text(page, "pagination_key", 2_000) if fields.flag(page, "has_more") else ""
    return EndedCalls(tuple(call_id for call_id in listed if call_id), more)


async def fetch_report(api: RemoteApi, call_id: str) -> bytes:
    return wrap_call(await _call(api, call_id))


async def fetch_recording(api: RemoteApi, call_id: str, limits: AudioLimits) -> Audio:
    """Asks for the address each time, because a signed address is valid for a day."""
    return await download(api, recording_url(await _call(api, call_id)), limits)


async def _call(api: RemoteApi, call_id: str) -> dict[str, Any]:
    return read_object(await api.get(f"/v2/get-call/{quote(call_id, safe='')}"), api.name)
