"""The secrets of an account at a provider, in clear text for as long as they are used. Storage keeps them encrypted."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class WebhookSecret:
    """A secret that proves the sender of a delivery; valid until `valid_until`, or without end."""

    value: str = field(repr=False)
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    """An empty `base_url` means the provider's own address. `previous_webhook_secret` is the secret before the last
    change; it is accepted until `previous_until`."""

    api_key: str = field(default="", repr=False)
    webhook_secret: str = field(default="", repr=False)
    base_url: str = ""
    previous_webhook_secret: str = field(default="", repr=False)
    previous_until: datetime | None = None


def webhook_secrets(credentials: Credentials) -> tuple[WebhookSecret, ...]:
    """The secrets that a delivery may be signed with, the current one first."""
    found = [WebhookSecret(credentials.webhook_secret)]
    if credentials.previous_until is not None:
        found.append(WebhookSecret(credentials.previous_webhook_secret, credentials.previous_until))
    return tuple(secret for secret in found if secret.value)


def valid_at(secrets: Iterable[WebhookSecret], now: datetime) -> tuple[str, ...]:
    """Those that are still accepted."""
    return tuple(secret.value for secret in secrets if secret.valid_until is None or now < secret.valid_until)
