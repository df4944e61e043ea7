"""Secrets reach the processes of one machine by files."""

from __future__ import annotations

import dataclasses
import importlib
from pathlib import Path

from gateway.config import GatewaySettings
from libs.config import ServiceSettings, load
from local.runner.secret_files import SECRET, by_file
from suite.services import SERVICES


def test_every_secret_of_every_process_is_known() -> None:
    declared = {field.metadata["env"] for field in dataclasses.fields(GatewaySettings) if field.metadata.get("secret")}
    for name in SERVICES:
        for kind in vars(importlib.import_module(f"services.{name}.config")).values():
            if isinstance(kind, type) and issubclass(kind, ServiceSettings):
                declared |= {
                    field.metadata["env"] for field in dataclasses.fields(kind) if field.metadata.get("secret")
                }
    assert declared == SECRET


def test_a_process_reads_its_secrets_from_private_files_alone(tmp_path: Path) -> None:
    given = {"NATS_URL": "nats://agent:pw@127.0.0.1:4222", "POOL_MAX": "3"}
    made = by_file(tmp_path / "secrets", given)
    assert "pw" not in str(made)
    assert (tmp_path / "secrets" / "NATS_URL").stat().st_mode & 0o777 == 0o600
    loaded = load(ServiceSettings, made)
    assert (loaded.nats_url, loaded.pool_max) == (given["NATS_URL"], 3)
