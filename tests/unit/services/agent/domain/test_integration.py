"""What a new key or secret does to an integration."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from libs.errors import InvalidArgument, NotFound
from providers.interface.credentials import Credentials, valid_at, webhook_secrets
from services.agent.domain.integration import (
    check_credentials,
    check_provider,
    connect,
    fingerprint,
    merge_credentials,
    reconnect,
)

NOW = datetime(2026, 1, 2, tzinfo=UTC)
STORED = Credentials("key-0123456789", "secret-1")


def test_the_first_time_needs_a_key() -> None:
    with pytest.raises(InvalidArgument) as refusal:
        check_credentials(Credentials(webhook_secret="s"), first=True)
    assert [violation.pointer for violation in refusal.value.violations] == ["#/credentials/apiKey"]
    check_credentials(Credentials(webhook_secret="s"), first=False)


@pytest.mark.parametrize(
    ("credentials", "pointer"),
    [
        (Credentials("k\n"), "#/credentials/apiKey"),
        (Credentials(" k"), "#/credentials/apiKey"),
        (Credentials("k", "x" * 1_001), "#/credentials/webhookSecret"),
        (Credentials("k", base_url="ftp://example.com"), "#/credentials/baseUrl"),
        (Credentials("k", base_url="https://user:pw@example.com"), "#/credentials/baseUrl"),
        (Credentials("k", base_url="https://example.com:port"), "#/credentials/baseUrl"),
        (Credentials("k", base_url="https://example.com/?a=1"), "#/credentials/baseUrl"),
    ],
)
def test_each_rule_points_at_its_field(credentials: Credentials, pointer: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        check_credentials(credentials, first=True)
    assert [violation.pointer for violation in refusal.value.violations] == [pointer]


def test_an_unknown_provider_is_nowhere() -> None:
    with pytest.raises(NotFound) as refusal:
        check_provider("twilio")
    assert refusal.value.reason == "provider_unknown"
    check_provider("retell")


def test_an_empty_field_keeps_what_is_stored() -> None:
    assert merge_credentials(STORED, Credentials(), NOW) == STORED
    merged = merge_credentials(STORED, Credentials(api_key="key-9876543210"), NOW)
    assert (merged.api_key, merged.webhook_secret) == ("key-9876543210", "secret-1")


def test_a_replaced_secret_is_honored_for_an_hour() -> None:
    merged = merge_credentials(STORED, Credentials(webhook_secret="secret-2"), NOW)
    secrets = webhook_secrets(merged)
    assert valid_at(secrets, NOW + timedelta(minutes=59)) == ("secret-2", "secret-1")
    assert valid_at(secrets, NOW + timedelta(minutes=61)) == ("secret-2",)
    assert webhook_secrets(Credentials()) == ()


def test_only_four_letters_and_a_fingerprint_of_the_key_are_shown() -> None:
    integration = connect("int_1", "org_1", "elevenlabs", "token", STORED, NOW)
    assert (integration.api_key_last4, integration.version) == ("6789", 1)
    assert integration.api_key_fingerprint == fingerprint("key-0123456789")
    assert "key-0123456789" not in repr(integration) + repr(STORED)
    assert reconnect(integration, Credentials("short-key"), NOW).api_key_last4 == ""
