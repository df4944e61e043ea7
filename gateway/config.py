"""The gateway's settings: its address, its peers and its public URL. Read once by libs.config."""

from dataclasses import dataclass

from libs.config import ProcessSettings, setting

SERVICES = ("identity", "agent", "knowledge", "calllog", "billing", "realtime")


@dataclass(frozen=True, slots=True)
class GatewaySettings(ProcessSettings):
    """The gateway's environment."""

    http_address: str = setting("GATEWAY_ADDRESS", "127.0.0.1:8080", help="host:port of the public HTTP server")
    public_url: str = setting(
        "PUBLIC_URL", "http://127.0.0.1:8080", help="how clients reach it; https turns TLS rules on"
    )
    identity: str = setting("IDENTITY_GRPC", "127.0.0.1:7401", help="host:port, comma list")
    agent: str = setting("AGENT_GRPC", "127.0.0.1:7402", help="host:port, comma list")
    knowledge: str = setting("KNOWLEDGE_GRPC", "127.0.0.1:7403", help="host:port, comma list")
    calllog: str = setting("CALLLOG_GRPC", "127.0.0.1:7404", help="host:port, comma list")
    billing: str = setting("BILLING_GRPC", "127.0.0.1:7405", help="host:port, comma list")
    realtime: str = setting("REALTIME_GRPC", "127.0.0.1:7406", help="host:port, comma list")
    cors_origins: tuple[str, ...] = setting("CORS_ORIGINS", (), help="exact origins that browsers may call from")
    trusted_proxies: int = setting("TRUSTED_PROXIES", 0, help="how many proxies in front append to X-Forwarded-For")

    @property
    def over_tls(self) -> bool:
        """Whether clients reach us by https."""
        return self.public_url.startswith("https://")

    @property
    def device_cookie_name(self) -> str:
        """The cookie by which a device is known at its next login."""
        return "__Host-echosenseix_device" if self.over_tls else "echosenseix_device"

    @property
    def cookie_name(self) -> str:
        """The session cookie; under TLS bound to this host by its prefix (RFC 6265bis, 4.1.3)."""
        return "__Host-echosenseix_session" if self.over_tls else "echosenseix_session"

    @property
    def peers(self) -> dict[str, str]:
        """Service name -> addresses."""
        return {name: getattr(self, name) for name in SERVICES}
