"""The operator's view: what does not answer is said in its place, and the rest stands."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from local.ops import view
from local.processes.ports import free_ports
from local.runner.folder import Folder
from local.stores import StoreFailed


async def shown(text: str) -> str:
    return text


async def failing(error: Exception) -> str:
    raise error


async def hanging() -> str:
    await asyncio.sleep(60)
    return ""


async def test_a_part_that_fails_leaves_the_others_standing() -> None:
    down = StoreFailed("connection refused\nIs the server running?")
    text = await view.render({"Queues": shown("  mail\n"), "Connections": failing(down), "Redis": shown("  1 MB\n")})
    assert text == "Queues\n  mail\n\nConnections\n  unreachable: connection refused\n\nRedis\n  1 MB\n"


async def test_a_part_that_hangs_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "PART_SECONDS", 0.05)
    text = await view.render({"Queues": hanging(), "Redis": shown("  1 MB\n")})
    assert text == "Queues\n  unreachable: TimeoutError\n\nRedis\n  1 MB\n"


async def test_with_services_and_stores_gone_the_view_says_so(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    service, postgres, redis = (f"127.0.0.1:{port}" for port in free_ports(3))
    document = {
        "processes": [{"role": "serve", "service": "knowledge", "grpc": service}],
        "stores": {
            "postgres": {"adminUrl": f"postgresql://no one@{postgres}/none"},
            "redis": {"url": f"redis://{redis}/0"},
        },
    }
    folder.run_file.write_text(json.dumps(document))
    text = await view.view(folder)
    assert "knowledge is unreachable: " in text
    assert "Redis\n  unreachable: " in text
    assert "Connections\n  unreachable: " in text
    folder.run_file.write_text("{}")
    assert "Largest tables\n  unreachable: the suite is down\n" in await view.view(folder)
