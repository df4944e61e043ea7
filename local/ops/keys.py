"""The keys of all processes as one table, from the page /keys of each operations port: ids, ages and states."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

from libs.clock import utcnow
from local.runner.folder import Folder
from local.runner.shown_keys import keys_of


def key_rows(folder: Folder) -> list[dict[str, Any]]:
    """A row for each key of each service, in how many of its processes it has which state. Public keys are left out:
    their private halves stand in the table."""
    holders: defaultdict[tuple[str, str, str, str], int] = defaultdict(int)
    made: dict[str, str | None] = {}
    for process in folder.read_run().get("processes", []):
        for row in keys_of(process) if process.get("ops") else ():
            if row["state"] != "trusted":
                holders[process["service"], row["setting"], row["kid"], row["state"]] += 1
                made[row["kid"]] = row["createdAt"]
    return [
        {"service": service, "setting": setting, "kid": kid or "-", "state": state, "age": _age(made[kid]), "in": count}
        for (service, setting, kid, state), count in sorted(holders.items())
    ]


def _age(created_at: str | None) -> str:
    if created_at is None:
        return "not known"
    hours = (utcnow() - datetime.fromisoformat(created_at).astimezone(UTC)).total_seconds() / 3600
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.0f} d"
