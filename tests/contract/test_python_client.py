"""clients/python is what the document makes now, covers every operation, and imports nothing of ours."""

from __future__ import annotations

import ast
import json
from pathlib import Path

from clients.python.echosenseix import AsyncClient, Client
from local.tools.python_client import DOCUMENT, FOLDER, LEFT_OUT, written

OURS = {"gateway", "services", "providers", "suite", "libs", "local", "bench", "tests", "echosenseix"}
COMMITTED = json.loads(DOCUMENT.read_bytes())


def test_the_generated_modules_are_fresh() -> None:
    for name, text in written(COMMITTED).items():
        assert (FOLDER / name).read_text("utf-8") == text, "run `make python-client` and commit what it writes"


def test_every_operation_has_a_method_in_both_clients() -> None:
    operations = {
        operation["operationId"]
        for methods in COMMITTED["paths"].values()
        for operation in methods.values()
        if operation["tags"][0] not in LEFT_OUT and "servers" not in operation
    }
    with Client("http://127.0.0.1:1") as client:
        for known in (client, AsyncClient("http://127.0.0.1:1")):
            groups = [value for value in vars(known).values() if type(value).__module__.endswith("generated.resources")]
            methods = {name for group in groups for name in dir(group) if not name.startswith("_")}
            assert methods == operations


def test_the_package_stands_alone() -> None:
    for path in sorted(FOLDER.parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names.append(node.module or "")
            assert not {name.partition(".")[0] for name in names} & OURS, path


def test_the_package_is_typed_and_its_readme_is_there() -> None:
    folder = Path(FOLDER).parent
    assert (folder / "py.typed").exists()
    assert (folder.parent / "README.md").exists()
