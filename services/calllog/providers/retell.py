"""Retell's list of calls, one call, and its recording, which lies at an address that the call names.

Source: the official `retell-sdk` (call.list, call.retrieve), whose models parse what the tests' stand-in answers. A
call that never began has no start, so that a search by start does not find it; it costs nothing either.
"""

from datetime import datetime
from typing import Any
from urllib.parse import quote

from libs.errors import NotFound
from libs.http import OutboundClient
from libs.http.api import RemoteApi, read_object
from services.calllog.domain import fields
from services.calllog.domain.retell import recording_url, wrap_call

from .sources import Account, Audio, AudioLimits, EndedCalls, download

NAME = "Retell"
ADDRESS = "https://api.retellai.com"
PAGE_SIZE = 100
_ENDED = ["ended", "error", "not_connected"]


def open_api(client: OutboundClient, account: Account) -> RemoteApi:
    return RemoteApi(client, NAME, account.base_url or ADDRESS, {"authorization": f"Bearer {account.api_key}"})


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
    page = read_object(await api.post("/v3/list-calls", body), NAME)
    listed = [fields.text(item, "call_id", 200) for item in fields.items(page, "items")]
    more = fields.text(page, "pagination_key", 2_000) if fields.flag(page, "has_more") else ""
    return EndedCalls(tuple(call_id for call_id in listed if call_id), more)


async def fetch_report(api: RemoteApi, call_id: str) -> bytes:
    return wrap_call(await _call(api, call_id))


async def fetch_recording(api: RemoteApi, call_id: str, limits: AudioLimits) -> Audio:
    """The address is asked for anew each time: a signed one lives for a day."""
    url = recording_url(await _call(api, call_id))
    if not url:
        raise NotFound("recording_not_found", "Retell has no recording of this call.")
    return await download(api, url, limits)


async def _call(api: RemoteApi, call_id: str) -> dict[str, Any]:
    return read_object(await api.get(f"/v2/get-call/{quote(call_id, safe='')}"), NAME)
