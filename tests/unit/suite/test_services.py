"""The table of services contradicts neither itself nor the tree."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from gateway.config import GatewaySettings
from libs.config import load
from local.runner.topology import GATEWAY_OPS, PUBLIC_PORTS, STORE_PORTS
from suite.services import AREAS, CALLLOG, INTEGRATIONS, ORGANIZATIONS, REALTIME, SERVICES, process_names

ROOT = Path(__file__).resolve().parents[3]


def test_every_service_has_its_folder_and_its_protos() -> None:
    assert {path.parent.name for path in (ROOT / "services").glob("*/__main__.py")} == set(SERVICES)
    assert all((ROOT / "protos" / "echosenseix" / name / "v1" / f"{name}.proto").is_file() for name in SERVICES)


def test_no_two_processes_of_a_machine_share_a_port() -> None:
    ports = [getattr(one, field.name) for one in SERVICES.values() for field in fields(one) if "port" in field.name]
    ports += [GATEWAY_OPS, *PUBLIC_PORTS.values(), *STORE_PORTS.values()]
    assert len(ports) == len(set(ports)) == 3 * len(SERVICES) + 8


def test_a_service_has_its_own_area() -> None:
    assert len({service.area for service in SERVICES.values()}) == len(SERVICES)
    assert set(AREAS) == {service.area for service in SERVICES.values()} | {
        REALTIME.events_area,
        INTEGRATIONS,
        ORGANIZATIONS,
    }


def test_the_gateway_finds_each_service_by_its_setting() -> None:
    given = {service.address_setting: f"{name}:1" for name, service in SERVICES.items()}
    assert load(GatewaySettings, given).peers == {name: f"{name}:1" for name in SERVICES}
    assert load(GatewaySettings, {}).peers == {name: service.local_address for name, service in SERVICES.items()}


def test_names_of_deployables_become_names_of_processes() -> None:
    assert process_names("call-log-worker=2 agent=3") == "calllog-worker=2 agent=3"
    assert CALLLOG.processes == ("calllog", "calllog-worker")
