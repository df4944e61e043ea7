"""Each wall is run into once: a copy of the tree gets a violation, and the check that guards it must name it.

The import contracts are checked in one run over one copy in which every violation is a module of its own.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contract import tree_rules

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("gateway", "services", "providers", "suite", "libs", "local", "protos", "pyproject.toml")

# contract id -> violations: file to add, and its text. The file's stem is what the report must name.
IMPORTS: dict[str, list[tuple[str, str]]] = {
    "top": [
        ("libs/planted_up.py", "import gateway"),
        ("libs/planted_service.py", "import services.agent.config"),
        ("libs/planted_local.py", "import local.stores"),
        ("libs/planted_provider.py", "import providers.registry"),
        ("libs/planted_table.py", "import suite.services"),
        ("suite/planted_user.py", "import providers.registry"),
        ("providers/planted_user.py", "import services.agent.config"),
        ("gateway/planted_across.py", "import services.agent.config"),
        ("local/planted_across_too.py", "import services.agent.config"),
    ],
    "suite": [("suite/planted_mechanism.py", "import libs.config"), ("suite/planted_message.py", "import msgspec")],
    "rooms": [
        ("services/agent/helpers.py", "X = 1"),
        ("services/agent/storage/planted_storage.py", "import services.agent.servicer"),
        ("services/agent/domain/planted_domain.py", "import services.agent.storage"),
        ("services/agent/mapping/planted_mapping.py", "import services.agent.storage"),
        ("services/agent/servicer/planted_servicer.py", "import services.agent.jobs"),
        ("services/realtime/protocol/planted_trade.py", "import services.realtime.servicer"),
    ],
    "gateway": [
        ("gateway/helpers.py", "X = 1"),
        ("gateway/http/planted_resource.py", "import gateway.routes.agents"),
        ("gateway/http/planted_schema.py", "import gateway.schemas.agents"),
        ("gateway/http/planted_stub.py", "import gateway.clients"),
        ("gateway/http/planted_layer.py", "import gateway.middleware.cors"),
        ("gateway/http/planted_setting.py", "import gateway.config"),
        ("gateway/routes/planted_app.py", "import gateway.app"),
    ],
    "local": [
        ("local/stores/planted_command.py", "import local.cli.logs"),
        ("local/demo/planted_runner.py", "import local.ops.view"),
        ("local/helpers.py", "X = 1"),
    ],
    "acyclic": [
        ("gateway/http/planted_circle.py", "import gateway.http.planted_half"),
        (
            "gateway/http/planted_half.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import gateway.http.planted_circle",
        ),
        ("libs/planted_one.py", "import libs.planted_other"),
        ("libs/planted_other.py", "import libs.planted_one"),
        ("services/agent/domain/planted_circling.py", "import services.agent.domain.planted_circled"),
        ("services/agent/domain/planted_circled.py", "import services.agent.domain.planted_circling"),
    ],
    "services": [("services/agent/servicer/planted_neighbour.py", "import services.billing.domain")],
    "providers": [
        ("providers/retell/planted_neighbor.py", "import providers.vapi.report"),
        ("providers/interface/planted_interface.py", "import providers.vapi.report"),
    ],
    "provider-protos": [("providers/retell/planted_message.py", "import echosenseix.agent.v1.agent_pb2")],
    "domain": [
        ("services/agent/domain/planted_driver.py", "import asyncpg"),
        ("services/agent/domain/planted_loop.py", "import asyncio"),
        ("services/agent/domain/planted_socket.py", "import socket"),
        ("services/agent/domain/planted_pool.py", "import libs.postgres"),
        ("services/agent/domain/planted_proto.py", "import echosenseix.agent.v1.agent_pb2"),
    ],
    "storage": [
        ("services/agent/storage/planted_grpc.py", "import grpc"),
        ("services/agent/storage/planted_message.py", "import echosenseix.agent.v1.agent_pb2"),
        ("services/agent/storage/planted_rpc.py", "import libs.rpc"),
    ],
    "operations": [("services/knowledge/operations/planted_proto_too.py", "import echosenseix.agent.v1.agent_pb2")],
    "asyncpg": [
        ("services/agent/servicer/planted_sql.py", "import asyncpg"),
        ("gateway/planted_sql_too.py", "import asyncpg"),
    ],
    "nats": [("libs/jobs/planted_nats.py", "import nats")],
    "stores": [
        ("libs/postgres/planted_stream.py", "import libs.bus.stream"),
        ("libs/bus/planted_outbox.py", "import libs.events.outbox"),
    ],
    "background": [
        ("libs/jobs/planted_event.py", "import libs.events.outbox"),
        ("libs/events/planted_job.py", "import libs.jobs.kind"),
    ],
    "redis": [("services/agent/servicer/planted_redis.py", "import redis")],
    "starlette": [("services/agent/servicer/planted_web.py", "import starlette")],
    "picows": [("gateway/planted_picows.py", "import picows")],
    "grpc": [
        ("gateway/planted_channel.py", "import grpc"),
        ("services/agent/mapping/planted_status.py", "import grpc"),
    ],
}

# rule -> file to add (or to append to) and its text.
TREE: dict[str, tuple[str, str]] = {
    "select_star": ("services/agent/storage/planted.py", 'Q = "select * from agent"'),
    "migrations": ("services/agent/storage/migrations/0009_create_planted.sql", "create table planted (id text);"),
    "subjects": ("services/agent/planted.py", 'S = "evt.org.agent.agent.created"'),
    "topics": ("services/agent/mapping/planted.py", 'E = call_event("call.ended")'),
    "unsent_topics": ("services/identity/servicer/api_keys.py", '"""No key is made any more."""'),
    "subscribers_read": (
        "services/agent/planted.py",
        'async def f(conn, event): event.read(pb.CallChanged)\nHANDLERS = {"usage.recorded": f}',
    ),
    "metrics": ("services/agent/planted.py", "from prometheus_client import Counter\nC = Counter('a', 'b')"),
    "service_shape": ("services/planted/__init__.py", '"""A service without its rooms."""'),
    "service_names": ("services/agent/planted.py", "def f(connection: Connection): return connection"),
    "domain_imports": ("services/agent/domain/planted.py", "import pathlib"),
    "module_names": ("services/agent/utils.py", ""),
    "environment": ("services/agent/planted.py", "import os\nX = os.environ['HOME']"),
    "sql_place": ("services/agent/servicer/planted.py", 'Q = "delete from agent where id = $1"'),
    "docstrings": ("services/agent/planted.py", "X = 1"),
    "unfinished": ("services/agent/planted.py", '"""TO' 'DO: write this."""'),
    "places": ("services/agent/README.md", "cd /wo" "rk/main"),
    "real_parts": ("tests/planted.py", "from unittest.mock import patch"),
}  # fmt: skip


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tree")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    return folder


@pytest.fixture(scope="module")
def report(copy: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The part of import-linter's report that each broken contract wrote, by the contract's name."""
    planted = tmp_path_factory.mktemp("planted") / "tree"
    shutil.copytree(copy, planted)
    for violations in IMPORTS.values():
        for name, text in violations:
            add(planted / name, text)
    text = lint_imports(planted)
    parts = re.split(r"\n([^\n]+)\n-+\n", text)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_tree_as_it_is_keeps_the_import_contracts(copy: Path) -> None:
    assert "0 broken" in lint_imports(copy)


@pytest.mark.parametrize(
    ("contract", "name"), [(contract, name) for contract, plants in IMPORTS.items() for name, _ in plants]
)
def test_import_contract_bites(report: dict[str, str], contract: str, name: str) -> None:
    title = contract_names()[contract]
    assert title in report, f"{title} is not broken"
    assert Path(name).stem in report[title]


@pytest.mark.parametrize("rule", tree_rules.RULES, ids=lambda rule: rule.__name__)
def test_tree_rule_bites(rule: Callable[[Path], list[str]], copy: Path, tmp_path: Path) -> None:
    before = set(rule(copy))
    name, text = TREE[rule.__name__]
    file = copy / name
    kept = file.read_bytes() if file.exists() else None
    add(file, text)
    try:
        assert set(rule(copy)) - before, f"{rule.__name__} did not see {name}"
    finally:
        file.unlink()
        if kept is not None:
            file.write_bytes(kept)


def test_the_list_of_system_callers_bites(copy: Path) -> None:
    before = tree_rules.system_doors(copy)
    file = copy / "services/agent/servicer/planted_door.py"
    add(file, "async def f(db):\n    async with db.system_transaction() as c: return c")
    assert tree_rules.system_doors(copy) - before == {"services/agent/servicer/planted_door.py"}
    file.unlink()


def add(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    package = file.parent / "__init__.py"
    if not package.exists() and file.suffix == ".py":
        package.touch()
    file.write_text(text, encoding="utf-8")


def lint_imports(folder: Path) -> str:
    roots = os.pathsep.join((str(folder), str(folder / "protos")))
    command = [str(Path(sys.prefix) / "bin" / "lint-imports"), "--no-cache", "--no-logo"]
    answer = subprocess.run(
        command, cwd=folder, env={**os.environ, "PYTHONPATH": roots}, capture_output=True, text=True, check=False
    )
    return answer.stdout + answer.stderr


def contract_names() -> dict[str, str]:
    import tomllib

    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return {contract["id"]: contract["name"] for contract in document["tool"]["importlinter"]["contracts"]}
