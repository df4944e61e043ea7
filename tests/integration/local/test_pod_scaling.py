"""What KEDA asks: each queue's depth, by the query and the role of the manifests, on a real PostgreSQL."""

from __future__ import annotations

from typing import Any

from local.cluster_secrets import derive
from local.runner.keys import Keys
from local.runner.migrations import migrate_all
from local.runner.topology import with_login
from local.stores import Stores, run_sql
from suite.services import SERVICES
from tests.manifests.conftest import build

JOB = """insert into {schema}.job (id, queue, kind, org_id, state, run_at, max_attempts)
         values ('{id}', 'default', 'x', '{org}', '{state}', now() + interval '{due}', 3)"""
ADDRESSES = {"POSTGRES": "postgres:5432", "POOLER": "pooler:6432", "REDIS": "redis:6379", "NATS": "nats:4222"}


async def test_the_depth_of_each_queue_counts_due_jobs_of_all_organizations(stores: Stores, keys: Keys) -> None:
    admin = stores.postgres_admin_dsn.rpartition("/")[0] + "/pod_scaling"
    run_sql(stores.postgres_admin_dsn, "create database pod_scaling")
    await migrate_all({name: {**keys.service_environment(name), "DATABASE_ADMIN_URL": admin} for name in SERVICES})
    objects = build("full")
    scalers = {item["metadata"]["name"]: item for item in objects if item["kind"] == "ScaledObject"}
    connections = {item["metadata"]["name"]: item for item in objects if item["kind"] == "TriggerAuthentication"}
    for schema, service in SERVICES.items():
        for number, (org, state, due) in enumerate(
            [("org_a", "queued", "-1 s"), ("org_b", "queued", "-1 s"), ("", "queued", "-1 s"),
             ("org_a", "queued", "1 hour"), ("org_a", "completed", "-1 s")]
        ):  # fmt: skip
            run_sql(admin, JOB.format(schema=schema, id=f"job_{number}", org=org, state=state, due=due))
        [trigger] = scalers[f"{service.deployable}-worker"]["spec"]["triggers"]
        role = _role(connections[trigger["authenticationRef"]["name"]], keys)
        url = with_login(admin, role, keys.role_password(schema, role.rpartition("_")[2]))
        assert run_sql(url, trigger["metadata"]["query"]) == "3", service.deployable


def _role(authentication: dict[str, Any], keys: Keys) -> str:
    """The role of the connection that the Secret gives to the scaler."""
    [reference] = authentication["spec"]["secretTargetRef"]
    stores = {f"store.{name}": "secret" for name in ("postgres", "redis", "nats")}
    url = derive(Keys({**keys.values, **stores}), ADDRESSES)[reference["name"]][reference["key"]]
    return url.split("//")[1].split(":")[0]
