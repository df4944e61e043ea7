"""The Ingress of production and the nginx of `make up SCALE=…` treat every request alike."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.http.multipart import FILE_LIMIT
from gateway.routes import inbound_webhooks
from local.runner import nginx
from local.runner.topology import Part, Plan

from .conftest import Objects
from .test_overlays import of

ANNOTATION = "nginx.ingress.kubernetes.io/"
PATHS = (
    "/", "/app", "/app/1/console.js", "/api/agents", "/api/events", "/api/events/streams", "/api/webhook-endpoints/a",
    "/api/webhooks/retell/token", "/api/webhooks/stripe", "/connections", "/emulations", "/connection/websocket",
    "/connection/websocket/x", "/connection/http_stream", "/connection/sse", "/connection/uni_sse", "/emulation",
    "/api/events/stream",
)  # fmt: skip


@dataclass(frozen=True)
class Rule:
    """What becomes of a request: its upstream, and what decides about time, retries and buffers."""

    backend: str
    read_seconds: int
    buffered: bool
    repeats_unsafe: bool


@pytest.fixture(scope="module")
def text() -> str:
    parts = [
        Part(
            name, role, place, (), {}, {"http": f"http://127.0.0.1:{port + place}", "ws": f"ws://127.0.0.1:{port}"}, ""
        )
        for name, role, port in (("gateway", "gateway", 9000), ("realtime", "serve", 9100))
        for place in range(2)
    ]
    plan = Plan(tuple(parts), {}, {"gateway": 18080, "realtime-ws": 18081, "realtime-http": 18082})
    return nginx.configuration(plan, Path("/nginx"))


@pytest.fixture
def ingresses(production_objects: Objects) -> dict[str, Any]:
    return of(production_objects, "Ingress")


def of_nginx(text: str, path: str) -> Rule:
    """By nginx's order: an exact location, then the first regular expression, then the longest prefix."""
    door = text[text.index("listen 127.0.0.1:18080") : text.index("listen 127.0.0.1:18081")]
    found = re.findall(r"location (?:(=|~) )?(/\S*|\^\S+) \{(.*?)\n        \}", door, re.DOTALL)
    exact = [body for kind, where, body in found if kind == "=" and where == path]
    matching = [body for kind, where, body in found if kind == "~" and re.search(where, path)]
    prefixes = sorted((len(where), body) for kind, where, body in found if not kind and path.startswith(where))
    body = [*exact, *matching, *(body for _, body in reversed(prefixes))][0]
    backend = re.search(r"proxy_pass http://(\w+);", body)
    assert backend is not None
    return Rule(
        backend=backend.group(1),
        read_seconds=3600 if "proxy_read_timeout 1h;" in body else 60,
        buffered="proxy_buffering off;" not in body,
        repeats_unsafe="proxy_next_upstream error timeout non_idempotent;" in body,
    )


def of_ingress(ingresses: dict[str, Any], path: str) -> Rule:
    """By Kubernetes' order: an exact path, then the longest prefix of whole elements."""
    best: tuple[bool, int, dict[str, Any], dict[str, Any]] | None = None
    for ingress in ingresses.values():
        for entry in ingress["spec"]["rules"][0]["http"]["paths"]:
            exact, where = entry["pathType"] == "Exact", entry["path"].rstrip("/")
            if path == where if exact else path == where or path.startswith(f"{where}/"):
                candidate = (exact, len(where), ingress, entry)
                best = candidate if best is None or candidate[:2] > best[:2] else best
    assert best is not None
    notes, service = best[2]["metadata"]["annotations"], best[3]["backend"]["service"]
    doors = {("gateway", "http"): "gateway", ("realtime", "ws"): "realtime_ws", ("realtime", "http"): "realtime_http"}
    return Rule(
        backend=doors[service["name"], service["port"]["name"]],
        read_seconds=int(notes.get(f"{ANNOTATION}proxy-read-timeout", 60)),
        buffered=notes.get(f"{ANNOTATION}proxy-buffering") != "off",
        repeats_unsafe="non_idempotent" in notes.get(f"{ANNOTATION}proxy-next-upstream", ""),
    )


@pytest.mark.parametrize("path", PATHS)
def test_a_path_is_treated_alike(path: str, text: str, ingresses: dict[str, Any]) -> None:
    assert of_ingress(ingresses, path) == of_nginx(text, path)


def test_sockets_are_spread_by_the_same_argument_and_requests_to_the_least_busy(
    text: str, ingresses: dict[str, Any]
) -> None:
    by = ingresses["realtime"]["metadata"]["annotations"][f"{ANNOTATION}upstream-hash-by"]
    assert text.count(f"hash {by} consistent;") == 2
    assert "least_conn;" in text
    for name in ("gateway", "webhooks"):
        assert ingresses[name]["metadata"]["annotations"][f"{ANNOTATION}load-balance"] == "ewma"


def test_a_dead_gateway_costs_the_same_time(text: str, ingresses: dict[str, Any]) -> None:
    for name in ("gateway", "webhooks"):
        notes = ingresses[name]["metadata"]["annotations"]
        assert f"proxy_connect_timeout {notes[f'{ANNOTATION}proxy-connect-timeout']}s;" in text
        assert f"proxy_next_upstream_tries {notes[f'{ANNOTATION}proxy-next-upstream-tries']};" in text
        assert f"proxy_next_upstream_timeout {notes[f'{ANNOTATION}proxy-next-upstream-timeout']}s;" in text


def test_a_body_that_is_too_large_is_refused_by_the_gateway_and_not_before(
    text: str, ingresses: dict[str, Any]
) -> None:
    largest = max(FILE_LIMIT, inbound_webhooks._DELIVERY_LIMIT)
    for name in ("gateway", "webhooks"):
        size = ingresses[name]["metadata"]["annotations"][f"{ANNOTATION}proxy-body-size"]
        assert f"client_max_body_size {size};" in text
        assert int(size.removesuffix("m")) * 1024 * 1024 > largest


def test_every_ingress_speaks_tls_for_one_host(ingresses: dict[str, Any]) -> None:
    for ingress in ingresses.values():
        assert ingress["metadata"]["annotations"][f"{ANNOTATION}ssl-redirect"] == "true"
        [host] = {rule["host"] for rule in ingress["spec"]["rules"]}
        assert ingress["spec"]["tls"][0]["hosts"] == [host]
