"""Vapi: a delivery proves itself as the customer's credential there says; its list of assistants.

By the secret itself (`Authorization: Bearer <secret>`, or `X-Vapi-Secret: <secret>` of old), or by its HMAC
(`X-Vapi-Signature`, or Vapi's default `X-Signature`: hex HMAC-SHA256(secret, raw body); where `X-Timestamp` comes with
it, of "<timestamp>.<raw body>", five minutes both ways). Sources: Vapi's page on server authentication, and the
official `vapi-server-sdk` (BearerAuthenticationPlan, HmacAuthenticationPlan, assistants.list). HTTP goes through
libs.http alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from libs.crypto import constant_time_equal, hmac_sha256_hex
from libs.http import OutboundClient
from libs.http.api import RemoteApi, read_json, unreadable
from services.agent.domain.integration import Credentials

from .listing import RemoteAgent, RemotePage

NAME = "Vapi"
ADDRESS = "https://api.vapi.ai"
PAGE_SIZE = 100
TOLERANCE_SECONDS = 5 * 60
_SHOWN_MAX = 4_000
# Seconds or milliseconds; the credential does not say which.
_TIMESTAMP = re.compile(r"(\d{10})(?:\d{3})?", re.ASCII)


def verify_signature(credentials: Credentials, shown: str, body: bytes, now: datetime) -> bool | None:
    """`shown` are the headers that came, one "name: value" a line, the names in lower case."""
    secrets = credentials.webhook_secrets(now)
    if not secrets:
        return None
    lines = (line.partition(": ") for line in shown[:_SHOWN_MAX].split("\n"))
    headers = {name: value for name, _, value in lines}
    # All proofs are compared before the verdict, whichever fits.
    fits = [_is_shown(secret, headers) | _has_signed(secret, headers, body, now) for secret in secrets]
    return any(fits)


def _is_shown(secret: str, headers: Mapping[str, str]) -> bool:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    return constant_time_equal(secret, bearer) | constant_time_equal(secret, headers.get("x-vapi-secret", ""))


def _has_signed(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> bool:
    digest = headers.get("x-vapi-signature") or headers.get("x-signature", "")
    stamp = headers.get("x-timestamp", "")
    if stamp and not _is_recent(stamp, now):
        return False
    parts = (stamp.encode(), b".", body) if stamp else (body,)
    return constant_time_equal(hmac_sha256_hex(secret.encode(), *parts), digest.removeprefix("sha256=").lower())


def _is_recent(stamp: str, now: datetime) -> bool:
    seconds = _TIMESTAMP.fullmatch(stamp)
    return seconds is not None and abs(now.timestamp() - int(seconds[1])) <= TOLERANCE_SECONDS


async def list_agents(client: OutboundClient, credentials: Credentials, cursor: str) -> RemotePage:
    """One page of the account's assistants; errors are RemoteApi's. The answer is a bare list, newest first, and names
    no next page: the next one is asked for by the time of the last assistant, which comes again and is known by then.
    """
    headers = {"authorization": f"Bearer {credentials.api_key}"}
    api = RemoteApi(client, NAME, credentials.base_url or ADDRESS, headers)
    listed = read_json(await api.get("/assistant", {"limit": PAGE_SIZE, "createdAtLe": cursor}), NAME)
    try:
        agents = tuple(_agent(entry) for entry in listed)
        more = len(agents) >= PAGE_SIZE
        return RemotePage(agents, min(str(entry["createdAt"]) for entry in listed) if more else "")
    except (TypeError, KeyError, AttributeError) as error:
        raise unreadable(NAME) from error


def _agent(entry: dict[str, Any]) -> RemoteAgent:
    voice = entry.get("voice") or {}
    return RemoteAgent(str(entry["id"]), str(entry.get("name") or ""), str(voice.get("voiceId") or ""))
