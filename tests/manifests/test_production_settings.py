"""The production overlay's processes start: their settings are loaded as the pods would load them."""

from __future__ import annotations

import base64
import importlib
from pathlib import Path

from gateway.config import GatewaySettings
from libs.config import ServiceSettings, load
from libs.runtime.commands import IN_PRODUCTION
from local.cluster_secrets import derive
from local.runner.keys import Keys, fresh_values
from suite.services import SERVICES

from .conftest import Objects

# An operator's stores, reached by TLS; the pooler is the overlay's own.
ADDRESSES = {
    "POSTGRES": "db.internal:5432", "POOLER": "pgbouncer:6432", "REDIS": "redis.internal:6379", "NATS": "nats.internal",
}  # fmt: skip


def test_every_process_of_the_production_overlay_takes_its_settings(
    production_objects: Objects, tmp_path: Path
) -> None:
    shared = next(
        item["data"] for item in production_objects
        if item["kind"] == "ConfigMap" and item["metadata"]["name"].startswith("suite-")
    )  # fmt: skip
    assert shared["ENVIRONMENT"] == "production"
    stores = {f"store.{name}": base64.b16encode(name.encode() * 4).decode() for name in ("postgres", "redis", "nats")}
    made = derive(Keys({**fresh_values(), **stores}), ADDRESSES)
    own = {variable: over_tls(variable, value) for variable, value in made["gateway"].items()}
    load(GatewaySettings, {**shared, **own})
    for name, service in SERVICES.items():
        files = {}
        for variable, value in made[service.deployable].items():
            path = tmp_path / f"{name}-{variable}"
            path.write_text(over_tls(variable, value))
            files[f"{variable}_FILE"] = str(path)
        module = importlib.import_module(f"services.{name}.config")
        kinds = [
            each for each in vars(module).values()
            if isinstance(each, type) and issubclass(each, ServiceSettings) and each is not ServiceSettings
        ]  # fmt: skip
        loaded = load(kinds[0], {**shared, **files}, require_in_production=IN_PRODUCTION)
        assert loaded.production


def over_tls(variable: str, value: str) -> str:
    """The URL as an operator's Secret has it."""
    if variable.startswith("DATABASE_") and "pgbouncer" not in value and "://" in value:
        return f"{value}?sslmode=verify-full"
    return value.replace("redis://", "rediss://").replace("nats://", "tls://")
