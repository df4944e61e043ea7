"""The voice platforms an agent can run at, by the name the API uses."""

from __future__ import annotations

PROVIDERS = ("elevenlabs", "retell", "vapi")
# An external agent id that names no provider is ElevenLabs'.
DEFAULT_PROVIDER = "elevenlabs"
