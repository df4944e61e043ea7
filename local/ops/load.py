"""The load of every gateway as one table, from the metrics that each serves on its operations port."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from prometheus_client.samples import Sample

from local.ops.metrics import samples_of_gateways
from local.runner.folder import Folder

LANES = (
    "organizations", "anonymous", "deliveries", "first_deliveries", "lookups", "transfers",
    "anonymous_transfers", "delivery_transfers", "first_delivery_transfers", "answers",
)  # fmt: skip


async def load_rows(folder: Folder) -> list[dict[str, Any]]:
    """A row for each gateway: its lanes, what it refused since its start, its event loop, its open breakers."""
    return [row_of(name, found) for name, found in await samples_of_gateways(folder)]


def row_of(name: str, samples: Iterable[Sample]) -> dict[str, Any]:
    """Places as held/limit."""
    held: dict[str, int] = {}
    limit: dict[str, int] = {}
    shed, lag, breakers = 0, 0.0, []
    for sample in samples:
        if sample.name == "http_server_places":
            places = held if sample.labels["state"] == "held" else limit
            places[sample.labels["lane"]] = int(sample.value)
        elif sample.name == "http_server_shed_total":
            shed += int(sample.value)
        elif sample.name == "event_loop_lag_seconds":
            lag = sample.value
        elif sample.name == "breaker_open" and sample.value:
            breakers.append(sample.labels["dependency"])
    return {
        "gateway": name,
        **{lane: f"{held.get(lane, 0)}/{limit.get(lane, 0)}" for lane in LANES},
        "refused": shed,
        "loop_lag_ms": round(lag * 1000, 1),
        "open_breakers": ", ".join(sorted(breakers)) or "none",
    }
