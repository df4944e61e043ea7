"""compose.yaml starts the stores of the local overlay: the same images and limits, open to this machine alone."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from local.cluster_secrets import derive
from local.runner.keys import Keys, fresh_values
from tests.manifests.conftest import ROOT, Objects

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]


def container(objects: Objects, store: str) -> dict[str, Any]:
    found = next(one for one in objects if one["kind"] == "StatefulSet" and one["metadata"]["name"] == store)
    main: dict[str, Any] = found["spec"]["template"]["spec"]["containers"][0]
    return main


@pytest.mark.parametrize("store", COMPOSE)
def test_a_stores_image_is_the_clusters(store: str, local_objects: Objects) -> None:
    variable = f"{store.upper()}_IMAGE"
    assert COMPOSE[store]["image"] == f"${{{variable}:-{container(local_objects, store)['image']}}}"


@pytest.mark.parametrize("store", COMPOSE)
def test_only_this_machine_reaches_a_store(store: str) -> None:
    assert COMPOSE[store]["ports"], "the suite beside it reaches it by a port"
    assert all(str(port).startswith("127.0.0.1:") for port in COMPOSE[store]["ports"])


def test_postgresql_has_the_clusters_settings(local_objects: Objects) -> None:
    """Memory excepted: the default fits a laptop. The pools of the suite need the connections."""
    asked, cluster = COMPOSE["postgres"]["command"], container(local_objects, "postgres")["args"]
    assert "max_connections=400" in asked
    assert set(asked) <= set(cluster)


def test_redis_forgets_as_the_clusters_does() -> None:
    asked = " ".join(COMPOSE["redis"]["command"])
    values = fresh_values() | dict.fromkeys(("store.postgres", "store.redis", "store.nats"), "s")
    addresses = dict.fromkeys(("POSTGRES", "POOLER", "REDIS", "NATS"), "store:1")
    cluster = derive(Keys(values), addresses)["stores"]["redis.conf"].splitlines()
    limits = [line for line in cluster if line.startswith("maxmemory")]
    assert len(limits) == 2
    assert all(f"--{limit}" in asked for limit in limits)
