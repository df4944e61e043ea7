"""The secrets of an account at a provider, in clear text for the length of one call. Storage keeps them encrypted."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Credentials:
    """An empty `base_url` means the provider's own address. `previous_webhook_secret` is the secret before the last
    change; it is accepted until `previous_until`."""

    api_key: str = field(default="", repr=False)
    webhook_secret: str = field(default="", repr=False)
    base_url: str = ""
    previous_webhook_secret: str = field(default="", repr=False)
    previous_until: datetime | None = None

    def webhook_secrets(self, now: datetime) -> tuple[str, ...]:
        """The secrets that a delivery may be signed with, the current one first."""
        graced = self.previous_webhook_secret and self.previous_until and now < self.previous_until
        candidates = (self.webhook_secret, self.previous_webhook_secret if graced else "")
        return tuple(secret for secret in candidates if secret)
