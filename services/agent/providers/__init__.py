"""What differs from provider to provider: how a delivery is signed, and how its agents are listed. Here it is declared
which of them can do what.

A signature check answers True or False, or None where there is no secret to check against.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

from libs.http import OutboundClient
from services.agent.domain.integration import Credentials

from . import elevenlabs, retell, vapi
from .listing import RemoteAgent, RemotePage

__all__ = ["LISTINGS", "SIGNATURES", "SYNCED", "RemoteAgent", "RemotePage"]

SignatureCheck = Callable[[Credentials, str, bytes, datetime], bool | None]
# Asked with the cursor of the page before, empty at first.
ListAgents = Callable[[OutboundClient, Credentials, str], Awaitable[RemotePage]]

SIGNATURES: Mapping[str, SignatureCheck] = {
    "elevenlabs": elevenlabs.verify_signature,
    "retell": retell.verify_signature,
    "vapi": vapi.verify_signature,
}
LISTINGS: Mapping[str, ListAgents] = {
    "elevenlabs": elevenlabs.list_agents,
    "retell": retell.list_agents,
    "vapi": vapi.list_agents,
}
# Providers whose agents provider.sync can list.
SYNCED = tuple(LISTINGS)
