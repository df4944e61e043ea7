"""The load of every gateway as one table, from the metrics that each serves on its operations port."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from local.runner.folder import Folder

# Seconds for one gateway's metrics; a screen should not wait longer for it.
_SECONDS = 3.0
LANES = (
    "organizations", "anonymous", "deliveries", "first_deliveries", "lookups", "transfers",
    "anonymous_transfers", "delivery_transfers", "first_delivery_transfers", "answers",
)  # fmt: skip


async def load_rows(folder: Folder) -> list[dict[str, Any]]:
    """A row for each gateway: its lanes, what it refused since its start, its event loop, its open breakers."""
    rows = []
    async with httpx.AsyncClient(timeout=_SECONDS) as http:
        for process in folder.read_run().get("processes", []):
            if process.get("service") == "gateway" and process.get("ops"):
                answer = await http.get(f"{process['ops']}/metrics")
                families = text_string_to_metric_families(answer.text)
                rows.append(row_of(process["name"], [sample for family in families for sample in family.samples]))
    return rows


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
