"""The metrics that processes serve on their operations ports."""

from __future__ import annotations

import httpx
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from local.runner.folder import Folder

# Seconds for one gateway's metrics; a screen should not wait longer for it.
_SECONDS = 3.0


async def samples_of_gateways(folder: Folder) -> list[tuple[str, list[Sample]]]:
    """(name of the process, its samples) of each gateway of the running suite. Raises httpx.HTTPError for one that does
    not answer."""
    found = []
    async with httpx.AsyncClient(timeout=_SECONDS) as http:
        for process in folder.read_run().get("processes", []):
            if process.get("service") == "gateway" and process.get("ops"):
                answer = await http.get(f"{process['ops']}/metrics")
                found.append((process["name"], samples(answer.text)))
    return found


def samples(text: str) -> list[Sample]:
    """Of the Prometheus text format."""
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]
