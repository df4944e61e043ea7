"""An organization's account at a provider: its state, and what a new key or secret does to it.

Credentials are in clear text only for the length of one call; storage keeps them encrypted.
"""

from __future__ import annotations

import enum
import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from libs.errors import InvalidArgument, NotFound, Violation
from providers.interface.credentials import Credentials
from providers.registry import PROVIDERS

# Characters of a key or secret.
SECRET_MAX = 1_000
# Characters of a base URL.
URL_MAX = 2_000
# Covers retries of deliveries that were signed before the secret was replaced; the last known one is after 30 minutes.
PREVIOUS_SECRET_GRACE = timedelta(hours=1)


class IntegrationStatus(enum.StrEnum):
    CONNECTED = "connected"
    FAILING = "failing"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Integration:
    id: str
    org_id: str
    provider: str
    status: IntegrationStatus
    api_key_last4: str
    api_key_fingerprint: str
    webhook_secret_set: bool
    webhook_token: str
    created_at: datetime
    updated_at: datetime
    last_sync_at: datetime | None = None
    last_sync_error: str = ""
    version: int = 1


def check_provider(provider: str) -> None:
    """NotFound for an unknown provider, because the provider is part of the integration's URL."""
    if provider not in PROVIDERS:
        raise NotFound("provider_unknown", f"No such provider. There are {', '.join(PROVIDERS)}.")


def check_credentials(credentials: Credentials, *, first: bool) -> None:
    found: list[Violation] = []
    # Later an empty key means the stored one.
    if first and not credentials.api_key:
        found.append(Violation("#/credentials/apiKey", "required", "Give the provider's API key."))
    secrets = {"apiKey": credentials.api_key, "webhookSecret": credentials.webhook_secret}
    for name, secret in secrets.items():
        # A pasted line break would travel in a header of the provider's API.
        if len(secret) > SECRET_MAX or not secret.isprintable() or secret != secret.strip():
            detail = f"At most {SECRET_MAX} printable characters without spaces at the ends."
            found.append(Violation(f"#/credentials/{name}", "invalid_format", detail))
    if credentials.base_url and not _is_web_address(credentials.base_url):
        found.append(Violation("#/credentials/baseUrl", "invalid_format", "Must be an http or https address."))
    if found:
        raise InvalidArgument("validation_failed", "The credentials are not valid.", violations=found)


def merge_credentials(stored: Credentials, given: Credentials, now: datetime) -> Credentials:
    """An empty field keeps the stored value. A replaced webhook secret stays valid for PREVIOUS_SECRET_GRACE.

    The stored key was given for the stored address. Raises InvalidArgument when another address comes without a key, or
    no key is stored."""
    # A person who may edit the address must not receive a key that another person entered.
    is_moved = given.base_url not in ("", stored.base_url)
    if not given.api_key and (is_moved or not stored.api_key):
        detail = "Give the API key again: a stored key is not sent to another address."
        raise InvalidArgument(
            "validation_failed",
            "The credentials are not valid.",
            violations=[Violation("#/credentials/apiKey", "required", detail)],
        )
    merged = replace(
        stored,
        api_key=given.api_key or stored.api_key,
        webhook_secret=given.webhook_secret or stored.webhook_secret,
        base_url=given.base_url or stored.base_url,
    )
    if stored.webhook_secret and merged.webhook_secret != stored.webhook_secret:
        # Only one older secret is kept: a second replacement within the hour ends the first.
        until = now + PREVIOUS_SECRET_GRACE
        merged = replace(merged, previous_webhook_secret=stored.webhook_secret, previous_until=until)
    return merged


def connect(
    integration_id: str, org_id: str, provider: str, token: str, given: Credentials, now: datetime
) -> Integration:
    # Version 0, because reconnecting counts one.
    blank = Integration(
        integration_id, org_id, provider, IntegrationStatus.CONNECTED, "", "", False, token, now, now, version=0
    )
    return reconnect(blank, given, now)


def reconnect(integration: Integration, credentials: Credentials, now: datetime) -> Integration:
    return replace(
        integration,
        status=IntegrationStatus.CONNECTED,
        api_key_last4=last4(credentials.api_key),
        api_key_fingerprint=fingerprint(credentials.api_key),
        webhook_secret_set=bool(credentials.webhook_secret),
        last_sync_error="",
        version=integration.version + 1,
        updated_at=now,
    )


def last4(api_key: str) -> str:
    """Empty for a short key: four of eight characters would be half of it."""
    return api_key[-4:] if len(api_key) >= 12 else ""


def fingerprint(api_key: str) -> str:
    # 48 bits tell two keys apart and are no help in guessing one.
    return hashlib.sha256(api_key.encode()).hexdigest()[:12]


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # urlsplit checks the port only when it is read.
        _ = parts.port
    except ValueError:
        return False
    plain = not (parts.username or parts.password or parts.query or parts.fragment)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and plain and len(url) <= URL_MAX
