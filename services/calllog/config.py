"""The call-log's settings."""

from __future__ import annotations

from dataclasses import dataclass

from libs.config import ServiceSettings, outbound_problems, setting
from libs.urls import OBJECTS
from suite.services import AGENT


@dataclass(frozen=True, slots=True)
class CallLogSettings(ServiceSettings):
    agent_grpc: str = setting(AGENT.address_setting, AGENT.local_address, help="host:port, comma list")
    blobs_url: str = setting(
        "BLOBS_URL", "memory://", url=OBJECTS, help="file:///…, s3://… or memory://: where recordings lie"
    )
    outbound_allow: tuple[str, ...] = setting("OUTBOUND_ALLOW", (), help="host:port exceptions of the address guard")
    reconcile_cron: str = setting("RECONCILE_CRON", "*/15 * * * *", help="when providers are asked for missed calls")
    reconcile_days: int = setting("RECONCILE_DAYS", 7, help="how far back the first reconciliation looks")
    recording_max_bytes: int = setting("RECORDING_MAX_BYTES", 268_435_456, help="larger recordings are not fetched")
    recording_seconds: float = setting("RECORDING_SECONDS", 300.0, help="how long fetching a recording may take")
    transcription_model: str = setting(
        "TRANSCRIPTION_MODEL", "", help="folder of a Whisper model in CTranslate2's format; empty: the packaged tiny.en"
    )

    def problems(self) -> list[str]:
        return ServiceSettings.problems(self) + outbound_problems(self, self.outbound_allow)
