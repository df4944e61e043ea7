"""Realtime's settings."""

from __future__ import annotations

import dataclasses

from libs.config import ServiceSettings, outbound_problems, setting
from libs.urls import HTTP, SMTP, WEBSOCKET


@dataclasses.dataclass(frozen=True, slots=True)
class RealtimeSettings(ServiceSettings):
    ws_address: str = setting("REALTIME_WS_ADDRESS", "127.0.0.1:8081", help="host:port of the WebSocket door")
    http_address: str = setting("REALTIME_HTTP_ADDRESS", "127.0.0.1:8082", help="host:port of server-sent events")
    public_url: str = setting(
        "REALTIME_PUBLIC_URL", "ws://127.0.0.1:8081", url=WEBSOCKET, help="what clients are told to connect to"
    )
    events_public_url: str = setting(
        "EVENTS_PUBLIC_URL", "http://127.0.0.1:8082", url=HTTP, help="base of the event stream's URL"
    )
    token_keys: tuple[str, ...] = setting(
        "REALTIME_TOKEN_KEYS", (), secret=True, help="kid=base64 32 bytes, comma list, the first signs"
    )
    allowed_origins: tuple[str, ...] = setting("REALTIME_ALLOWED_ORIGINS", ("*",), help="browsers' origins, comma list")
    streams_per_organization: int = setting("STREAMS_PER_ORGANIZATION", 200, help="event streams; 0 = no limit")
    streams_per_token: int = setting("STREAMS_PER_TOKEN", 8, help="event streams; 0 = no limit")
    outbound_allow: tuple[str, ...] = setting("OUTBOUND_ALLOW", (), help="host:port or host:port-port, comma list")
    smtp_url: str | None = setting(
        "SMTP_URL", None, secret=True, url=SMTP, help="smtp[s]://user:password@host:port; none = mailbox"
    )
    console_url: str = setting(
        "PUBLIC_URL", "http://127.0.0.1:8080", url=HTTP, help="where links of mails lead: the gateway, from outside"
    )
    mail_from: str = setting("MAIL_FROM", "EchoSenseiX <no-reply@localhost>")
    retention_days: int = setting("EVENT_RETENTION_DAYS", 30)
    mail_retention_days: int = setting("MAIL_RETENTION_DAYS", 30, help="of the mailbox")
    mail_kept: int = setting("MAIL_KEPT", 1_000, help="mails an organization's mailbox keeps, the newest")
    webhook_disable_days: float = setting(
        "WEBHOOK_DISABLE_DAYS", 5.0, help="an endpoint is disabled when it failed for so long without a success"
    )
    webhook_disable_exhausted: int = setting(
        "WEBHOOK_DISABLE_EXHAUSTED", 3, help="... and let so many deliveries run out of attempts"
    )

    def problems(self) -> list[str]:
        return ServiceSettings.problems(self) + outbound_problems(self, self.outbound_allow)
