"""Ports: free ones differ, taken ones are named with their holder."""

from __future__ import annotations

import os
import socket

import pytest

from local.processes import ports


def test_free_ports_are_different_and_free() -> None:
    found = ports.free_ports(20)
    assert len(set(found)) == 20
    assert all(ports.is_free(port) for port in found)


def test_a_taken_port_is_named_with_its_holder() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]
        with pytest.raises(ports.PortTaken, match=rf"Port {port}, which gateway needs, is held by pid {os.getpid()} "):
            ports.require_free(port, "gateway")
    ports.require_free(port, "gateway")


def test_fixed_ports_keep_the_plan_and_number_the_rest() -> None:
    port = ports.fixed_ports()
    assert port(8080) == 8080
    assert port(0) != port(0)


def test_any_ports_replace_the_plan() -> None:
    port = ports.any_ports()
    assert len({port(8080), port(8080), port(0)}) == 3
