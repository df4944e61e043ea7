"""The manifests as kubectl builds them, parsed once per overlay."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
OVERLAYS = ("local", "production", "full")
Objects = list[dict[str, Any]]


def build(overlay: str) -> Objects:
    kubectl = Path(sys.prefix) / "bin" / "kubectl"
    answer = subprocess.run(
        [str(kubectl), "kustomize", str(ROOT / "k8s" / "overlays" / overlay)], capture_output=True, check=False
    )
    assert answer.returncode == 0, answer.stderr.decode()
    return list(yaml.safe_load_all(answer.stdout))


@pytest.fixture(scope="session", params=OVERLAYS)
def objects(request: pytest.FixtureRequest) -> Objects:
    return build(request.param)


@pytest.fixture(scope="session")
def local_objects() -> Objects:
    return build("local")


@pytest.fixture(scope="session")
def production_objects() -> Objects:
    return build("production")


@pytest.fixture(scope="session")
def full_objects() -> Objects:
    return build("full")
