"""A password never stands in the arguments of a program: it goes by the environment, decoded as libpq wants it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from local.processes.probes import split_login

ROOT = Path(__file__).resolve().parents[4]


@pytest.mark.parametrize(
    ("dsn", "address", "login"),
    [
        ("postgresql://ada:s%40fe@db:5432/x?sslmode=require", "postgresql://ada@db:5432/x?sslmode=require",
         {"PGPASSWORD": "s@fe"}),
        ("postgresql://ada@db/x", "postgresql://ada@db/x", {}),
        ("postgresql:///x?host=/run", "postgresql:///x?host=/run", {}),
        ("", "", {}),
    ],
)  # fmt: skip
def test_the_password_leaves_the_address(dsn: str, address: str, login: dict[str, str]) -> None:
    assert split_login(dsn) == (address, login)


def test_every_module_that_runs_a_program_of_postgresql_takes_the_password_out() -> None:
    """Every module that starts psql, pg_dump or pg_restore uses split_login, so that no new one forgets it."""
    starting = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "local").rglob("*.py")
        if _runs_psql(path.read_text(encoding="utf-8"))
    }
    assert starting == {"local/backup/database.py", "local/processes/probes.py", "local/stores/postgres.py"}
    for name in starting:
        assert "split_login(" in (ROOT / name).read_text(encoding="utf-8"), name


def _runs_psql(text: str) -> bool:
    if "psql" not in text:
        return False
    calls = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))
    return any(ast.unparse(call.func) in ("subprocess.run", "subprocess.Popen") for call in calls)
