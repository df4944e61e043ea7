"""The caches of all gateways as one table, from the metrics that each serves on its operations port."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prometheus_client.samples import Sample

from local.ops.metrics import samples_of_gateways
from local.runner.folder import Folder

Key = tuple[str, str, str]


async def cache_rows(folder: Folder) -> list[dict[str, Any]]:
    """A row for each class of cached values, summed over the gateways that answer."""
    found: defaultdict[Key, float] = defaultdict(float)
    for _, samples in await samples_of_gateways(folder):
        for key, value in of_caches(samples):
            # Ages do not add up: the oldest heartbeat of all gateways is the one that matters.
            found[key] = max(found[key], value) if "heartbeat" in key[0] else found[key] + value
    return rows_of(found)


def of_caches(samples: Iterable[Sample]) -> Iterator[tuple[Key, float]]:
    """((name, class, level or outcome), value) of every sample about a cache."""
    for sample in samples:
        labels = sample.labels
        if sample.name.startswith("cache_") and "cache" in labels and "le" not in labels:
            kind = labels.get("level") or labels.get("outcome") or ""
            yield (sample.name, labels["cache"], kind), sample.value


def rows_of(found: Mapping[Key, float]) -> list[dict[str, Any]]:
    """What people ask first: how much is answered from where, how long a load takes, and whether anything is stale."""
    # Only classes that loaded something have a row; the rest of the table would be zeros.
    rows = []
    for name in sorted({cache for metric, cache, _ in found if metric == "cache_load_duration_seconds_count"}):
        memory, redis = (found.get(("cache_hits_total", name, level), 0.0) for level in ("memory", "redis"))
        missed = found.get(("cache_misses_total", name, "redis"), 0.0)
        loads = found.get(("cache_load_duration_seconds_count", name, ""), 0.0)
        seconds = found.get(("cache_load_duration_seconds_sum", name, ""), 0.0)
        reads = memory + redis + missed
        rows.append(
            {
                "class": name, "memory": int(memory), "redis": int(redis), "missed": int(missed),
                "hit_percent": round(100 * (memory + redis) / reads, 1) if reads else None,
                "loads": int(loads), "load_ms": round(1000 * seconds / loads, 1) if loads else None,
                "evicted": int(found.get(("cache_evictions_total", name, "memory"), 0.0)),
                "refused": int(found.get(("cache_fills_refused_total", name, ""), 0.0)),
                "late": int(found.get(("cache_stale_answers_total", name, ""), 0.0)),
                "heartbeat_s": round(found.get(("cache_heartbeat_age_seconds", name, ""), 0.0), 2),
                "beyond_bound": int(found.get(("cache_shadow_reads_total", name, "stale"), 0.0)),
            }
        )  # fmt: skip
    return rows
