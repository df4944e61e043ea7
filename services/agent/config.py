"""What the agent service reads from its environment."""

from __future__ import annotations

from dataclasses import dataclass

from libs.config import ServiceSettings, setting


@dataclass(frozen=True, slots=True)
class AgentSettings(ServiceSettings):
    outbound_allow: tuple[str, ...] = setting(
        "OUTBOUND_ALLOW", (), help="host:port ranges that outgoing HTTP may reach although they are not public"
    )
