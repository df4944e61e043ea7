"""Secrets that only some installations have reach the processes that read them, as docs/operations.md says."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from libs.config import ServiceSettings, load
from local.cluster_secrets import derive
from local.runner.keys import Keys, fresh_values
from local.runner.secret_files import SECRET
from suite.services import SERVICES

from .conftest import ROOT, Objects
from .test_overlays import of
from .test_production_settings import ADDRESSES, over_tls

PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
MOUNT = "/run/secrets/echosenseix"
# What the page's table names, by Secret.
ENTRIES = {
    secret: re.findall(r"`([A-Z_]+)`", entries)
    for secret, entries, _ in re.findall(
        r"^\| `([a-z-]+)` \| ([^|]*) \| ([^|]*) \|$",
        PAGE.partition("Some entries are there")[2].partition("```")[0],
        re.M,
    )
}
# Values that the processes take, of the entries and of the settings beside them.
VALUES = {
    "OPENID_ISSUER": "https://login.example.com", "OPENID_CLIENT_ID": "suite", "OPENID_CLIENT_SECRET": "s",
    "EMBEDDINGS_URL": "https://models.example.com/v1", "EMBEDDINGS_MODEL": "m", "EMBEDDINGS_API_KEY": "s",
    "PAYMENTS": "stripe", "PAYMENT_RETURN_URL": "https://example.com/paid", "STRIPE_SECRET_KEY": "sk_live_1",
    "STRIPE_WEBHOOK_SECRETS": "whsec_1,whsec_2", "SMTP_URL": "smtps://user:password@mail.example.com",
    "MAIL_FROM": "EchoSenseiX <no-reply@example.com>",
}  # fmt: skip


def made() -> dict[str, dict[str, str]]:
    stores = {f"store.{name}": name.encode().hex() * 4 for name in ("postgres", "redis", "nats")}
    return derive(Keys({**fresh_values(), **stores}), ADDRESSES)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Objects:
    """An overlay over production with the generator of the page, its literals for all entries of the table."""
    generator = yaml.safe_load(re.findall(r"```yaml\n(configMapGenerator:.*?)```", PAGE, re.S)[0])
    files, suite = (one["literals"] for one in generator["configMapGenerator"])
    assert files == [f"SMTP_URL_FILE={MOUNT}/SMTP_URL"]
    files[:] = [f"{name}_FILE={MOUNT}/{name}" for names in ENTRIES.values() for name in names]
    entries = {name for names in ENTRIES.values() for name in names}
    suite[:] = [f"{name}={value}" for name, value in VALUES.items() if name not in entries]
    overlay = tmp_path_factory.mktemp("overlay")
    base = os.path.relpath(ROOT / "k8s" / "overlays" / "production", overlay.resolve())
    kustomization = {"namespace": "echosenseix", "resources": [base], **generator}
    (overlay / "kustomization.yaml").write_text(yaml.safe_dump(kustomization), encoding="utf-8")
    kubectl = Path(sys.prefix) / "bin" / "kubectl"
    answer = subprocess.run([str(kubectl), "kustomize", str(overlay)], capture_output=True, check=False)
    assert answer.returncode == 0, answer.stderr.decode()
    return list(yaml.safe_load_all(answer.stdout))


def test_the_page_names_every_secret_that_is_not_made_with_the_installation() -> None:
    everywhere = {name for entries in made().values() for name in entries}
    # With the component `replica`, and with TLS between the processes, which the manifests leave to a mesh.
    elsewhere = {"DATABASE_REPLICA_URL", "GRPC_TLS_KEY"}
    assert {name for names in ENTRIES.values() for name in names} == SECRET - everywhere - elsewhere


@pytest.mark.parametrize("secret", ENTRIES)
@pytest.mark.parametrize("role", ["serve", "work"])
def test_the_entries_of_a_secret_are_read_by_its_service(
    built: Objects, secret: str, role: str, tmp_path: Path
) -> None:
    deployment = of(built, "Deployment")[secret if role == "serve" else f"{secret}-worker"]
    pod = deployment["spec"]["template"]["spec"]
    [main] = pod["containers"]
    assert {"name": "secrets", "mountPath": MOUNT, "readOnly": True} in main["volumeMounts"]
    [volume] = [one["secret"] for one in pod["volumes"] if one["name"] == "secrets"]
    assert volume["secretName"] == secret
    assert "items" not in volume
    for name, value in {**made()[secret], **{name: VALUES[name] for name in ENTRIES[secret]}}.items():
        (tmp_path / name).write_text(over_tls(name, value), encoding="utf-8")
    loaded = load(settings_of(secret), environment_of(built, main, tmp_path))
    by_variable = {
        field.metadata.get("env"): getattr(loaded, name) for name, field in loaded.__dataclass_fields__.items()
    }
    for name in ENTRIES[secret]:
        value = by_variable[name]
        assert (",".join(value) if isinstance(value, tuple) else value) == VALUES[name]


def settings_of(deployable: str) -> Any:
    [name] = [name for name, service in SERVICES.items() if service.deployable == deployable]
    kinds = [
        each for each in vars(importlib.import_module(f"services.{name}.config")).values()
        if isinstance(each, type) and issubclass(each, ServiceSettings) and each is not ServiceSettings
    ]  # fmt: skip
    return kinds[0]


def environment_of(objects: Objects, container: dict[str, Any], mounted: Path) -> dict[str, str]:
    """What the kubelet gives the container, its Secret mounted at `mounted`."""
    maps, found = of(objects, "ConfigMap"), dict[str, str]()
    for source in container["envFrom"]:
        found |= maps[source["configMapRef"]["name"]]["data"]
    found |= {variable["name"]: variable["value"] for variable in container.get("env", []) if "value" in variable}
    return {name: value.replace(MOUNT, str(mounted)) for name, value in found.items()}


def test_mail_may_leave_by_the_ports_that_the_urls_of_mail_servers_mean(built: Objects) -> None:
    rules = of(built, "NetworkPolicy")["realtime"]["spec"]["egress"]
    [outside] = [rule for rule in rules if any("ipBlock" in peer for peer in rule["to"])]
    assert {465, 587} <= {port["port"] for port in outside["ports"]}
