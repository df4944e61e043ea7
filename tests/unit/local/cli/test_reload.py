"""Which processes an edit restarts."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.cli.reload import touched

PROCESSES = {"gateway": "gateway", "agent": "agent", "agent-worker": "agent", "billing": "billing"}


@pytest.mark.parametrize(
    ("edited", "restarted"),
    [
        ("services/agent/mapping.py", ["agent", "agent-worker"]),
        ("services/billing/storage/migrations/0002_add_x.sql", ["billing"]),
        ("gateway/app.py", ["gateway"]),
        ("libs/ids.py", list(PROCESSES)),
        ("suite/services.py", list(PROCESSES)),
        ("protos/echosenseix/agent/v1/agent_pb2.py", list(PROCESSES)),
        ("services/newcomer/config.py", []),
    ],
)
def test_an_edit_restarts_those_who_run_it(edited: str, restarted: list[str]) -> None:
    assert touched({Path(edited)}, PROCESSES) == restarted
