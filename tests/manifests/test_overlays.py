"""Every overlay is valid, and every deployable of it has what lets it run alone: probes, budget, policy, limits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import kubernetes_validate
import pytest

from libs.telemetry import metrics
from suite.services import SERVICES

from .conftest import build

Objects = list[dict[str, Any]]
KUBERNETES = "1.33"
CUSTOM = "ScaledObject", "TriggerAuthentication", "PodMonitor", "PrometheusRule"
NAMES = {"gateway", *(service.deployable for service in SERVICES.values())}
WORKERS = {f"{name}-worker" for name in NAMES - {"gateway"}}


def of(objects: Objects, kind: str) -> dict[str, dict[str, Any]]:
    return {item["metadata"]["name"]: item for item in objects if item["kind"] == kind}


def workloads(objects: Objects) -> Iterator[dict[str, Any]]:
    """Everything that runs pods; of a CronJob the Job that it makes, under the CronJob's name."""
    for item in objects:
        if item["kind"] in ("Deployment", "StatefulSet", "Job"):
            yield item
        elif item["kind"] == "CronJob":
            yield {"kind": "Job", "metadata": item["metadata"], "spec": item["spec"]["jobTemplate"]["spec"]}


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    return bool(selector.get("matchLabels", {}).items() <= labels.items())


def test_every_object_is_valid_for_the_schema_of_its_kind(objects: Objects) -> None:
    for item in objects:
        if item["kind"] not in CUSTOM:
            kubernetes_validate.validate(item, KUBERNETES, strict=True)


def test_each_service_has_a_server_a_worker_and_a_migration_and_the_gateway_a_server(objects: Objects) -> None:
    assert of(objects, "Deployment").keys() - {"pgbouncer", "otel-collector"} == NAMES | WORKERS
    assert of(objects, "Job").keys() - {"first-secrets"} == {f"{name}-migration" for name in NAMES - {"gateway"}}


def test_every_service_is_found_where_the_table_says(objects: Objects) -> None:
    suite = next(item for name, item in of(objects, "ConfigMap").items() if name.startswith("suite-"))
    addresses = {name: value for name, value in suite["data"].items() if name.endswith("_GRPC")}
    assert addresses == {service.address_setting: f"dns:///{service.deployable}:7400" for service in SERVICES.values()}
    ports = {
        name: [port["port"] for port in item["spec"]["ports"] if port["name"] == "grpc"]
        for name, item in of(objects, "Service").items()
    }
    assert all(ports[service.deployable] == [7400] for service in SERVICES.values())


def test_a_process_s_module_is_its_service_s(objects: Objects) -> None:
    deployments = of(objects, "Deployment")
    for name, service in SERVICES.items():
        for deployable, command in ((service.deployable, "serve"), (f"{service.deployable}-worker", "work")):
            container = deployments[deployable]["spec"]["template"]["spec"]["containers"][0]
            assert container["args"] == [f"services.{name}", command]


def test_the_job_that_makes_secrets_may_change_those_that_it_makes(local_objects: Objects) -> None:
    rules = of(local_objects, "Role")["first-secrets"]["rules"]
    changed = next(rule["resourceNames"] for rule in rules if "patch" in rule["verbs"])
    own = {name for one in SERVICES.values() for name in (one.deployable, f"{one.deployable}-migration")}
    assert set(changed) == {"suite-keys", "stores", "gateway", *own}


def test_every_long_running_container_has_three_probes_that_differ(objects: Objects) -> None:
    for item in workloads(objects):
        if item["kind"] != "Job":
            main = item["spec"]["template"]["spec"]["containers"][0]
            probes = [repr(main[f"{name}Probe"]) for name in ("startup", "readiness", "liveness")]
            assert len(set(probes)) == 3, item["metadata"]["name"]


def test_every_container_is_restricted_and_bounded(objects: Objects) -> None:
    for item in workloads(objects):
        name, pod = item["metadata"]["name"], item["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"], name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False, name
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}, name
            for bound in ("requests", "limits"):
                assert container["resources"][bound].keys() == {"cpu", "memory", "ephemeral-storage"}, name


def test_root_file_systems_are_read_only_in_production(production_objects: Objects) -> None:
    for item in workloads(production_objects):
        for container in item["spec"]["template"]["spec"]["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"], item["metadata"]["name"]


def test_only_the_jobs_that_make_secrets_get_a_token(objects: Objects) -> None:
    with_token = {
        item["metadata"]["name"]
        for item in workloads(objects)
        if item["spec"]["template"]["spec"]["automountServiceAccountToken"]
    }
    assert with_token <= {"first-secrets", "rotate-keys", "retire-keys"}


def test_every_workload_has_an_account_of_this_overlay(objects: Objects) -> None:
    accounts = of(objects, "ServiceAccount")
    for item in workloads(objects):
        assert item["spec"]["template"]["spec"]["serviceAccountName"] in accounts


def test_every_long_running_workload_has_one_budget_and_every_workload_one_policy(objects: Objects) -> None:
    budgets, policies = of(objects, "PodDisruptionBudget"), of(objects, "NetworkPolicy")
    assert policies["default-deny"]["spec"]["podSelector"] == {}
    for item in workloads(objects):
        name, labels = item["metadata"]["name"], item["spec"]["template"]["metadata"]["labels"]
        own = [policy for key, policy in policies.items() if key != "default-deny"]
        assert sum(selects(policy["spec"]["podSelector"], labels) for policy in own) == 1, name
        if item["kind"] != "Job":
            assert sum(selects(budget["spec"]["selector"], labels) for budget in budgets.values()) == 1, name


def test_every_egress_edge_inside_the_suite_is_an_ingress_edge_of_its_target(objects: Objects) -> None:
    policies = of(objects, "NetworkPolicy")
    for name, policy in policies.items():
        for rule in policy["spec"].get("egress") or []:
            for target in _names(rule.get("to", [])):
                if target in policies:
                    assert _admits(policies[target], name, rule["ports"]), f"{name} -> {target}"


def _names(peers: list[dict[str, Any]]) -> set[str]:
    found: set[str] = set()
    for peer in peers:
        for expression in peer.get("podSelector", {}).get("matchExpressions", []):
            found.update(expression["values"])
    return found


def _admits(policy: dict[str, Any], caller: str, ports: list[dict[str, Any]]) -> bool:
    wanted = {port["port"] for port in ports}
    for rule in policy["spec"].get("ingress") or []:
        whole_suite = any(
            "app.kubernetes.io/part-of" in peer.get("podSelector", {}).get("matchLabels", {}) for peer in rule["from"]
        )
        if (whole_suite or caller in _names(rule["from"])) and wanted & {port["port"] for port in rule["ports"]}:
            return True
    return False


def test_every_image_that_we_build_and_every_secret_is_named_once_as_the_tiltfile_and_the_job_make_them(
    local_objects: Objects,
) -> None:
    from local.cluster_secrets import derive
    from local.runner.keys import Keys, fresh_values

    values = {**fresh_values(), "store.postgres": "p", "store.redis": "r", "store.nats": "n"}
    addresses = {"POSTGRES": "postgres:5432", "POOLER": "pgbouncer:6432", "REDIS": "redis:6379", "NATS": "nats:4222"}
    made = derive(Keys(values), addresses)
    for item in workloads(local_objects):
        pod = item["spec"]["template"]["spec"]
        mounted = {volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume}
        assert mounted <= made.keys(), item["metadata"]["name"]
        for variable in pod["containers"][0].get("env", []):
            if variable["name"].endswith("_FILE"):
                key = variable["value"].rpartition("/")[2]
                assert all(key in made[name] for name in mounted), (item["metadata"]["name"], key)


def test_no_target_has_two_scalers_and_a_scaled_target_has_no_fixed_number(objects: Objects) -> None:
    deployments = of(objects, "Deployment")
    targets = [
        item["spec"]["scaleTargetRef"]["name"]
        for item in objects
        if item["kind"] in ("HorizontalPodAutoscaler", "ScaledObject")
    ]
    assert len(targets) == len(set(targets))
    assert [name for name in targets if "replicas" in deployments[name]["spec"]] == []


def test_gateways_share_a_rate_limit_among_as_many_as_there_can_be(objects: Objects) -> None:
    container = of(objects, "Deployment")["gateway"]["spec"]["template"]["spec"]["containers"][0]
    told = next(item["value"] for item in container["env"] if item["name"] == "GATEWAY_INSTANCES")
    assert int(told) == _largest_scale(objects)["gateway"]


@pytest.mark.parametrize("overlay", ["production", "full"])
def test_the_largest_scale_fits_into_pgbouncer_and_its_pools_into_postgresql(overlay: str) -> None:
    objects = build(overlay)
    suite = next(item for name, item in of(objects, "ConfigMap").items() if name.startswith("suite-"))
    ini = next(item for name, item in of(objects, "ConfigMap").items() if name.startswith("pgbouncer-"))
    lines = [line.partition("=") for line in ini["data"]["pgbouncer.ini"].splitlines() if "=" in line]
    settings: dict[str, str] = {name.strip(): value.strip() for name, _, value in lines}
    most = _largest_scale(objects)
    assert most.keys() == NAMES | WORKERS
    processes = sum(count for name, count in most.items() if name != "gateway")
    poolers = of(objects, "Deployment")["pgbouncer"]["spec"]["replicas"]
    roles = 2 * len(SERVICES)
    assert processes * 2 * int(suite["data"]["POOL_MAX"]) <= poolers * int(settings["max_client_conn"])
    # Direct connections: two leaders of each worker, and the scaler's own of each queue.
    direct = 2 * sum(most[name] for name in WORKERS) + len(of(objects, "TriggerAuthentication"))
    assert poolers * roles * int(settings["default_pool_size"]) + direct <= _max_connections() - 10


def _largest_scale(objects: Objects) -> dict[str, int]:
    """Deployment -> the most replicas that its scaler makes."""
    scalers = {**of(objects, "HorizontalPodAutoscaler"), **of(objects, "ScaledObject")}.values()
    return {
        item["spec"]["scaleTargetRef"]["name"]: item["spec"].get("maxReplicas") or item["spec"]["maxReplicaCount"]
        for item in scalers
    }


def _max_connections() -> int:
    import re

    from tests.manifests.conftest import ROOT

    text = (ROOT / "k8s" / "infra" / "postgres.yaml").read_text(encoding="utf-8")
    found = re.search(r"max_connections=(\d+)", text)
    assert found is not None
    return int(found.group(1))


@pytest.mark.parametrize("name", sorted(NAMES | WORKERS))
def test_the_grace_period_is_longer_than_the_pause_the_drain_and_the_margin(
    production_objects: Objects, name: str
) -> None:
    suite = next(item for key, item in of(production_objects, "ConfigMap").items() if key.startswith("suite-"))
    pod = of(production_objects, "Deployment")[name]["spec"]["template"]["spec"]
    pause = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] > pause + float(suite["data"]["DRAIN_SECONDS"]) + 1


def test_with_keda_workers_follow_their_queue_and_realtime_its_sockets(full_objects: Objects) -> None:
    scaled = of(full_objects, "ScaledObject")
    assert scaled.keys() == WORKERS | {"realtime"}
    assert of(full_objects, "HorizontalPodAutoscaler").keys() == NAMES - {"realtime"}
    [by_cpu, by_sockets] = scaled["realtime"]["spec"]["triggers"]
    assert by_cpu["type"] == "cpu"
    assert 'realtime_sockets{namespace="echosenseix"}' in by_sockets["metadata"]["query"]
    assert metrics.SOCKETS._name == "realtime_sockets"


def test_the_collector_may_be_reached_by_every_process_and_is_named_to_them(full_objects: Objects) -> None:
    suite = next(item for key, item in of(full_objects, "ConfigMap").items() if key.startswith("suite-"))
    assert suite["data"]["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://otel-collector:4317"
    policies = of(full_objects, "NetworkPolicy")
    for name in NAMES:
        assert any("otel-collector" in _names(rule.get("to", [])) for rule in policies[name]["spec"]["egress"]), name


def test_the_scraper_finds_the_operations_port_of_every_process(full_objects: Objects) -> None:
    [monitor] = [item for item in full_objects if item["kind"] == "PodMonitor"]
    wanted = {entry["key"]: set(entry["values"]) for entry in monitor["spec"]["selector"]["matchExpressions"]}
    port = monitor["spec"]["podMetricsEndpoints"][0]["port"]
    for name, item in of(full_objects, "Deployment").items():
        if name in NAMES | WORKERS:
            pod = item["spec"]["template"]
            assert all(pod["metadata"]["labels"][key] in values for key, values in wanted.items()), name
            assert port in {entry["name"] for entry in pod["spec"]["containers"][0]["ports"]}, name


def test_the_backup_dumps_every_service_and_its_way_back_is_valid(full_objects: Objects) -> None:
    pod = of(full_objects, "CronJob")["backup"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    dumped = {word.partition("=")[2] for word in pod["initContainers"][0]["args"] if word.startswith("--schema")}
    assert dumped == set(SERVICES)
    assert pod["containers"][0]["args"][0] == "local.backup.pod"
    for item in build("restore"):
        kubernetes_validate.validate(item, KUBERNETES, strict=True)


def test_what_the_restore_asks_for_is_there_under_its_name(full_objects: Objects) -> None:
    [job] = build("restore")
    pod = job["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] in of(full_objects, "ServiceAccount")
    containers = [*pod["initContainers"], *pod["containers"]]
    named = [source["configMapRef"]["name"] for each in containers for source in each.get("envFrom", [])]
    assert named
    assert set(named) <= of(full_objects, "ConfigMap").keys()


def test_a_rollout_replaces_no_replica_before_its_twin_is_known_to_callers(objects: Objects) -> None:
    for name, item in of(objects, "Deployment").items():
        if name in NAMES | WORKERS:
            assert item["spec"]["minReadySeconds"] >= 10, name
            assert item["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}, name
