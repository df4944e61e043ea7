"""What differs from provider to provider: how a delivery is signed, and how its agents are listed.

A signature check answers True or False, or None where there is no secret to check against.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from services.agent.domain.integration import Credentials

from . import elevenlabs, retell

SignatureCheck = Callable[[Credentials, str, bytes, datetime], bool | None]

SIGNATURES: Mapping[str, SignatureCheck] = {
    "elevenlabs": elevenlabs.verify_signature,
    "retell": retell.verify_signature,
}
# Providers whose agents provider.sync can list. It asks ElevenLabs, so no other provider's key may come to it.
SYNCED = ("elevenlabs",)
