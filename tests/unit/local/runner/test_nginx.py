"""nginx stands only before doors with several instances; its own syntax check accepts what we write."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from local.runner import nginx
from local.runner.topology import Part, Plan


def plan(gateways: int, realtimes: int) -> Plan:
    def part(service: str, role: str, index: int) -> Part:
        http = f"http://127.0.0.1:{9000 + index}"
        ws = {"ws": f"ws://127.0.0.1:{9100 + index}"} if service == "realtime" else {}
        return Part(service, role, index, (), {}, {"http": http, **ws}, http)

    parts = [part("gateway", "gateway", n) for n in range(gateways)]
    parts += [part("realtime", "serve", n) for n in range(realtimes)]
    return Plan(tuple(parts), {}, {"gateway": 18080, "realtime-ws": 18081, "realtime-http": 18082})


def test_a_single_instance_needs_none() -> None:
    assert not nginx.needed(plan(1, 1))


def test_it_listens_only_where_several_stand_behind() -> None:
    assert nginx.ports(plan(2, 1)) == (18080,)
    assert nginx.ports(plan(1, 2)) == (18081, 18082)


def test_http_goes_to_the_least_busy_and_sockets_by_their_hash(tmp_path: Path) -> None:
    text = nginx.configuration(plan(3, 2), tmp_path)
    gateway = text[text.index("upstream gateway") : text.index("upstream realtime_ws")]
    assert "least_conn" in gateway
    assert "keepalive 32" in gateway
    assert gateway.count("server 127.0.0.1") == 3
    assert text.count("hash $arg_u consistent") == 2


@pytest.mark.parametrize("folder", ["plain", "with a space", "Größe; {x} #1"])
def test_nginx_accepts_each_shape_in_any_folder(tmp_path: Path, folder: str) -> None:
    for number, shape in enumerate((plan(2, 1), plan(1, 2), plan(3, 3))):
        command = nginx.command(shape, tmp_path / folder / str(number), tmp_path / "nginx.log")
        answer = subprocess.run([*command.argv, "-t"], capture_output=True, text=True, check=False)
        assert answer.returncode == 0, answer.stderr


def test_a_suite_without_realtime_is_balanced_too(tmp_path: Path) -> None:
    assert "upstream realtime" not in nginx.configuration(plan(2, 0), tmp_path)
