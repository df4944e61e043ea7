"""What the agent service reads from its environment."""

from __future__ import annotations

from dataclasses import dataclass

from libs.config import ServiceSettings, outbound_problems, setting
from suite.services import CALLLOG


@dataclass(frozen=True, slots=True)
class AgentSettings(ServiceSettings):
    calllog_grpc: str = setting(CALLLOG.address_setting, CALLLOG.local_address, help="host:port, comma list")
    outbound_allow: tuple[str, ...] = setting(
        "OUTBOUND_ALLOW", (), help="host:port ranges that outgoing HTTP may reach although they are not public"
    )

    def problems(self) -> list[str]:
        return ServiceSettings.problems(self) + outbound_problems(self, self.outbound_allow)
