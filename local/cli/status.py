"""`make status`: one line a process with pid, memory, addresses, restarts and whether it answers now.

Asks each process itself; run.json only says where it should be. Changes nothing.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from local.processes.memory import children_by_parent, pss_mib
from local.processes.probes import http_ready, postgres_ready, redis_ready
from local.runner.folder import Folder
from local.stores import psql

HEADINGS = ("PROCESS", "PID", "PSS MiB", "HEALTH", "RESTARTS", "ADDRESSES")


def report(folder: Folder) -> tuple[str, bool]:
    """The table, and whether all of it is well."""
    document = folder.read_run()
    children = children_by_parent()
    entries = [*_stores(document), *document["processes"]]
    # Side by side: a process that hangs costs its timeout once and not in a row.
    with ThreadPoolExecutor(8) as asking:
        health = list(asking.map(_health, entries))
    memory = [pss_mib(entry["pid"], children) if entry["pid"] else None for entry in entries]
    runner = pss_mib_alone(document["pid"])
    rows: list[tuple[str, ...]] = [HEADINGS, ("runner", str(document["pid"]), _mib(runner), document["state"], "", "")]
    rows += [_row(entry, said, used) for entry, said, used in zip(entries, health, memory, strict=True)]
    total = sum(part or 0.0 for part in memory) + (runner or 0.0)
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    healthy = all(said in ("healthy", "external") for said in health) and document["state"] == "ready"
    return "\n".join([*lines, f"{total:.0f} MiB in all; logs in {folder.logs}"]), healthy


def pss_mib_alone(pid: int) -> float | None:
    return pss_mib(pid, {})


def _stores(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"name": name, "role": "store", "restarts": store.get("restarts", 0), **store}
        for name, store in document["stores"].items()
    ]


def _health(entry: dict[str, Any]) -> str:
    if entry["role"] == "store":
        if entry["data"] is None:
            return "external"
        return "healthy" if _store_answers(entry) else "not answering"
    if entry["state"] != "ready":
        return f"{entry['state']} (exit {entry['lastExit']})" if entry["lastExit"] is not None else entry["state"]
    if entry["role"] == "nginx":
        return "healthy"
    probe = f"{entry['ops']}/ready" if entry["ops"] else f"{entry['http']}/health/ready"
    return "healthy" if http_ready(probe) else "not answering"


def _store_answers(entry: dict[str, Any]) -> bool:
    if entry["name"] == "postgres":
        return postgres_ready(str(psql()), entry["adminUrl"])
    if entry["name"] == "redis":
        return redis_ready(urlsplit(entry["url"]).port or 0)
    return http_ready(f"{entry['monitorUrl']}/healthz")


def _row(entry: dict[str, Any], health: str, memory: float | None) -> tuple[str, ...]:
    if entry["role"] == "store":
        addresses = urlsplit(entry["url"]).netloc.rpartition("@")[2]
    else:
        addresses = " ".join(entry[kind] for kind in ("http", "ws", "grpc", "ops") if entry[kind])
    pid = str(entry["pid"] or "-")
    return (entry["name"], pid, _mib(memory), health, str(entry["restarts"]), addresses)


def _mib(amount: float | None) -> str:
    return "-" if amount is None else f"{amount:.1f}"
