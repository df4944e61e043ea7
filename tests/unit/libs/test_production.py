"""What a process refuses at its start: URLs that cannot work, anywhere; in production also what is not safe."""

from __future__ import annotations

import base64
import dataclasses
import importlib
import os
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import GatewaySettings
from libs.config import ConfigError, ServiceSettings, load
from libs.runtime.commands import IN_PRODUCTION
from suite.services import SERVICES

NONSENSE = (
    "foo", "ftp://host/x", "://", "http:/host", "nats:", "nats://", "redis://host:port", "smtp://:25", "https://[::1",
    "postgresql://", "s3://", "file://folder", "localhost:6379", "http://ho st", "tls://host:0", "ws:///x", " ",
)  # fmt: skip


def classes() -> dict[str, Any]:
    """Name -> settings class of every process kind."""
    found: dict[str, Any] = {"gateway": GatewaySettings}
    for name in SERVICES:
        module = importlib.import_module(f"services.{name}.config")
        [found[name]] = [
            each
            for each in vars(module).values()
            if isinstance(each, type) and issubclass(each, ServiceSettings) and each is not ServiceSettings
        ]
    return found


def url_settings() -> Iterator[tuple[str, str]]:
    for name, kind in classes().items():
        for field in dataclasses.fields(kind):
            if field.metadata.get("url"):
                yield name, field.metadata["env"]


def key(name: str) -> str:
    return f"{name}={base64.b64encode(secrets.token_bytes(32)).decode()}"


def production() -> dict[str, str]:
    """An environment that every process kind starts with in production."""
    dsn = f"postgresql://role:{secrets.token_hex(8)}@db.internal/echosenseix?sslmode=verify-full"
    return {
        "ENVIRONMENT": "production",
        "DATABASE_URL": dsn,
        "DATABASE_SYSTEM_URL": dsn,
        "REDIS_URL": f"rediss://:{secrets.token_hex(8)}@redis.internal:6379/0",
        "NATS_URL": f"tls://agent:{secrets.token_hex(8)}@nats.internal:4222",
        "BLOBS_URL": "s3://bucket",
        "PUBLIC_URL": "https://api.example.com",
        "REALTIME_PUBLIC_URL": "wss://api.example.com",
        "EVENTS_PUBLIC_URL": "https://api.example.com",
        "PRINCIPAL_SIGNING_KEY": key("agent"),
        "PRINCIPAL_TRUSTED_KEYS": key("gateway"),
        "ENCRYPTION_KEYS": key("k1"),
        "CURSOR_KEY": secrets.token_hex(16),
    }


def problems(kind: Any, environment: dict[str, str]) -> tuple[str, ...]:
    try:
        load(kind, environment, require_in_production=IN_PRODUCTION)
    except ConfigError as error:
        return error.problems
    return ()


def test_every_setting_that_is_a_url_says_which() -> None:
    for name, kind in classes().items():
        for field in dataclasses.fields(kind):
            if field.metadata.get("env", "").endswith(("_URL", "_ENDPOINT")):
                assert field.metadata["url"], (name, field.name)


@pytest.mark.parametrize("value", NONSENSE)
@pytest.mark.parametrize(("name", "setting"), sorted(url_settings()))
def test_a_url_that_cannot_work_is_refused_by_its_name(name: str, setting: str, value: str) -> None:
    [told] = problems(classes()[name], {setting: value})
    assert told.startswith(f"{setting} must be a URL")


@given(st.text(st.characters(exclude_characters=":", exclude_categories=["Cs"]), min_size=1))
def test_a_text_without_a_scheme_is_never_a_url(value: str) -> None:
    for name, setting in url_settings():
        assert problems(classes()[name], {setting: value}), (name, setting)


@pytest.mark.parametrize("name", classes())
def test_a_sound_production_environment_is_taken(name: str) -> None:
    assert problems(classes()[name], production()) == ()


# What is wrong -> the processes that must refuse it.
UNSAFE = {
    ("DATABASE_URL", "postgresql://role:pw123456@db/x"): SERVICES,
    ("DATABASE_URL", "postgresql://role:pw123456@db/x?sslmode=require"): SERVICES,
    ("DATABASE_SYSTEM_URL", "postgresql://role@db/x?sslmode=verify-full"): SERVICES,
    ("DATABASE_SYSTEM_URL", "postgresql://postgres:postgres@db/x?sslmode=verify-full"): SERVICES,
    ("DATABASE_DIRECT_URL", "postgresql://role:pw123456@db/x"): SERVICES,
    ("REDIS_URL", "redis://:pw123456@redis/0"): SERVICES,
    ("REDIS_URL", "rediss://redis/0"): SERVICES,
    ("REDIS_URL", "rediss://:local@redis/0"): SERVICES,
    ("NATS_URL", "nats://agent:pw123456@nats"): SERVICES,
    ("NATS_URL", "tls://nats"): SERVICES,
    ("NATS_URL", "tls://agent:pw123456@one,nats://agent:pw123456@two"): SERVICES,
    ("PUBLIC_URL", "http://api.example.com"): ("gateway",),
    ("REALTIME_PUBLIC_URL", "ws://api.example.com"): ("gateway", "realtime"),
    ("EVENTS_PUBLIC_URL", "http://api.example.com"): ("realtime",),
    ("BLOBS_URL", "memory://"): ("calllog", "knowledge"),
    ("EMBEDDINGS_URL", "http://embeddings/v1"): ("knowledge",),
    ("LIMITS", "bench"): ("gateway", "identity"),
    ("OUTBOUND_ALLOW", "10.0.0.1:1-65535"): ("agent", "calllog", "knowledge", "realtime"),
    ("OUTBOUND_ALLOW", "10.0.0.0/8:443"): ("agent", "calllog", "knowledge", "realtime"),
    ("PRINCIPAL_SIGNING_KEY", "agent=" + base64.b64encode(b"a" * 32).decode()): SERVICES,
    ("ENCRYPTION_KEYS", "k1=" + base64.b64encode(bytes(32)).decode()): SERVICES,
}


@pytest.mark.parametrize(("setting", "value"), UNSAFE)
def test_production_refuses_what_is_not_safe(setting: str, value: str) -> None:
    for name in UNSAFE[setting, value]:
        kind = classes()[name]
        told = problems(kind, production() | {setting: value})
        assert told, name
        assert all(problem.startswith(setting) for problem in told)
        assert value not in " ".join(told) or setting in ("OUTBOUND_ALLOW", "LIMITS")
        assert problems(kind, {setting: value}) == (), "one machine may"


@pytest.mark.parametrize("name", SERVICES)
def test_production_tells_all_that_is_wrong_at_once(name: str) -> None:
    told = problems(
        classes()[name], {"ENVIRONMENT": "production", "POOL_MAX": "x", "LIMITS": "bench", "NATS_URL": "foo"}
    )
    named = {problem.split()[0] for problem in told}
    assert {"POOL_MAX", "REDIS_URL", "NATS_URL", "ENCRYPTION_KEYS", "CURSOR_KEY"} <= named
    assert ("LIMITS" in named) is (name == "identity")


def test_a_host_may_be_named_to_which_the_way_is_protected_otherwise() -> None:
    plain = production() | {"DATABASE_URL": "postgresql://role:pw123456@pgbouncer:6432/x"}
    assert problems(classes()["agent"], plain | {"PLAINTEXT_ALLOW": "pgbouncer"}) == ()
    assert problems(classes()["agent"], plain | {"PLAINTEXT_ALLOW": "other"})


def test_migrations_need_no_store_but_the_database() -> None:
    environment = production()
    dsn = environment["DATABASE_URL"]
    assert load(ServiceSettings, {"ENVIRONMENT": "production", "DATABASE_ADMIN_URL": dsn}).database_admin_url == dsn


def test_secrets_leave_the_environment_when_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in production().items():
        monkeypatch.setenv(name, value)
    loaded = load(classes()["agent"])
    assert loaded.cursor_key
    secret = {field.metadata["env"] for field in dataclasses.fields(loaded) if field.metadata.get("secret")}
    assert {"DATABASE_URL", "REDIS_URL", "NATS_URL", "ENCRYPTION_KEYS", "PRINCIPAL_SIGNING_KEY"} <= secret
    assert not secret & os.environ.keys()
    assert os.environ["BLOBS_URL"] == "s3://bucket"
