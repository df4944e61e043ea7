"""The plan of processes: addresses, scale, and what each environment may contain."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from local.processes.ports import fixed_ports
from local.runner.keys import Keys
from local.runner.topology import PASSED_ON, Plan, Scale, StoreUrls, make_plan
from local.tools.configuration import FILE

STORES = StoreUrls(
    database="postgresql://postgres:secret-of-admin@127.0.0.1:7432/echosenseix",
    direct="postgresql://postgres:secret-of-admin@127.0.0.1:7432/echosenseix",
    redis="redis://127.0.0.1:7479/0",
    nats="nats://127.0.0.1:7442",
)
KEYS = Keys.ephemeral()


def plan(scale: str = "", given: dict[str, str] | None = None) -> Plan:
    return make_plan(STORES, KEYS, Path("/var/somewhere"), Scale.parse(scale), fixed_ports(), given or {})


def test_one_of_each_uses_the_documented_ports() -> None:
    made = plan()
    assert made.urls == {
        "url": "http://127.0.0.1:8080", "realtimeUrl": "ws://127.0.0.1:8081", "eventsUrl": "http://127.0.0.1:8082",
    }  # fmt: skip
    assert made.addresses("identity", "grpc") == ["127.0.0.1:7401"]
    assert made.addresses("agent", "grpc") == ["127.0.0.1:7402"]


def test_several_of_a_service_are_given_to_its_callers_as_an_address_list() -> None:
    made = plan("agent=2 identity=3")
    caller = next(part for part in made.parts if part.name == "identity")
    assert caller.environment["AGENT_GRPC"].split(",") == made.addresses("agent", "grpc")
    assert len(set(made.addresses("identity", "grpc"))) == 3


def test_each_worker_has_a_name_that_outlives_it() -> None:
    names = [part.environment["INSTANCE"] for part in plan("agent-worker=2").parts if part.role == "work"]
    assert len(set(names)) == len(names) == 7
    assert names == [part.environment["INSTANCE"] for part in plan("agent-worker=2").parts if part.role == "work"]


def test_no_two_parts_share_a_port() -> None:
    ports = [port for part in plan("agent=3 agent-worker=2 realtime=2").parts for port in part.ports]
    assert len(ports) == len(set(ports))


def test_a_process_gets_its_own_roles_and_never_the_administrators_dsn() -> None:
    for part in plan().parts:
        assert "secret-of-admin" not in " ".join(part.environment.values())
        for other in ("identity", "agent"):
            if other != part.service:
                assert KEYS.role_password(other, "app") not in " ".join(part.environment.values())


def test_the_gateway_holds_no_database_and_no_encryption_key() -> None:
    for part in plan().parts:
        if part.service == "gateway":
            assert not {"DATABASE_URL", "ENCRYPTION_KEYS"} & part.environment.keys()


def test_the_gateway_has_an_operations_port_of_its_own() -> None:
    part = next(part for part in plan().parts if part.service == "gateway")
    assert part.addresses["ops"] == f"http://{part.environment['OPS_ADDRESS']}"
    assert part.ready_url == f"{part.addresses['ops']}/ready"
    assert part.addresses["ops"] != part.addresses["http"]


def test_only_known_settings_of_the_caller_are_passed_on() -> None:
    part = plan(given={"LOG_LEVEL": "DEBUG", "AWS_SECRET_ACCESS_KEY": "x", "LIMITS": "bench"}).parts[0]
    assert part.environment["LOG_LEVEL"] == "DEBUG"
    assert part.environment["LIMITS"] == "bench"
    assert "AWS_SECRET_ACCESS_KEY" not in part.environment


# Settings that a caller of the suite on one machine cannot set, each with the reason.
NOT_SET_HERE = {
    "DATABASE_ADMIN_URL": "the runner gives it to the migrations alone",
    "DATABASE_REPLICA_URL": "differs from service to service, as its login does",
    "REPLICA_LAG_SECONDS": "counts with DATABASE_REPLICA_URL",
    "EVENTS_REPLICAS": "the embedded NATS is one server",
    "GRPC_TLS_AUTHORITY": "all processes are on the loopback",
    "GRPC_TLS_CERTIFICATE": "all processes are on the loopback",
    "GRPC_TLS_KEY": "all processes are on the loopback",
    "PLAINTEXT_ALLOW": "counts in production",
}


def test_every_setting_is_passed_on_or_made_by_the_plan_or_not_set_here_for_a_reason() -> None:
    known = set(re.findall(r"^\| `([A-Z_0-9]+)`", FILE.read_text(encoding="utf-8"), re.M))
    assert len(known) > 90
    made = {name for part in plan("gateway=2 realtime=2").parts for name in part.environment}
    assert known - set(PASSED_ON) - made == NOT_SET_HERE.keys()
    assert set(PASSED_ON) <= known, "what no process reads"


def test_an_object_stores_credentials_come_with_the_object_store() -> None:
    part = plan(given={"BLOBS_URL": "s3://bucket", "AWS_SECRET_ACCESS_KEY": "x"}).parts[0]
    assert part.environment["AWS_SECRET_ACCESS_KEY"] == "x"


@pytest.mark.parametrize(("scale", "proxies"), [("", "0"), ("gateway=2", "1")])
def test_the_gateway_trusts_one_proxy_only_when_nginx_stands_before_it(scale: str, proxies: str) -> None:
    gateways = [part for part in plan(scale).parts if part.service == "gateway"]
    assert {part.environment["TRUSTED_PROXIES"] for part in gateways} == {proxies}


@pytest.mark.parametrize("text", ["gateway", "gateway=0", "gateway=21", "gateway=-1", "other=2", "gateway=two", "=3"])
def test_a_wrong_scale_says_what_is_known(text: str) -> None:
    with pytest.raises(ValueError, match="knowledge-worker"):
        Scale.parse(text)


def test_scale_takes_the_prose_name_of_call_log() -> None:
    assert Scale.parse("call-log-worker=2, gateway=3").of("calllog-worker") == 2


@pytest.mark.parametrize("scale", ["", "gateway=2 realtime=2"])
def test_connections_are_not_limited_by_address_where_nginx_opens_them(scale: str) -> None:
    limits = {
        part.environment.get("CONNECTIONS_PER_ADDRESS")
        for part in plan(scale).parts
        if part.service in ("gateway", "realtime") and part.role != "work"
    }
    assert limits == ({"0"} if scale else {None})


def test_a_bench_opens_as_many_connections_and_streams_as_it_wants() -> None:
    for part in plan(given={"LIMITS": "bench"}).parts:
        for name in ("CONNECTIONS_MAX", "CONNECTIONS_PER_ADDRESS", "STREAMS_PER_ORGANIZATION", "STREAMS_PER_TOKEN"):
            assert part.environment[name] == "0"
