"""The reasons that the code raises and their statuses are those of docs/errors.md, both ways."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from gateway.http.problems import refusal_of
from libs.errors import ERROR_OF_CODE, AppError

ROOT = Path(__file__).resolve().parents[2]
ERRORS = {kind.__name__: kind for kind in ERROR_OF_CODE.values()}
ROW = re.compile(r"^\| `([a-z0-9_]+)` \| (\d{3}) \|", re.MULTILINE)


def _sources() -> Iterator[ast.Module]:
    for room in ("gateway", "services", "providers", "suite", "libs"):
        for path in sorted((ROOT / room).rglob("*.py")):
            yield ast.parse(path.read_text("utf-8"))


def _raised(tree: ast.Module) -> Iterator[AppError]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        first = node.args[0]
        if name in ERRORS and isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield ERRORS[name](first.value, "")


def _refused(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The code and the status of each refusal by realtime's doors, which raise no AppError."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Refused":
            match node.args[:2]:
                case [ast.Constant(value=int(status)), ast.Constant(value=str(code))]:
                    yield code, str(status)


def _texts(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_the_documented_codes_are_the_raised_codes() -> None:
    documented = dict(ROW.findall((ROOT / "docs" / "errors.md").read_text("utf-8")))
    trees = list(_sources())
    raised = [error for tree in trees for error in _raised(tree)]
    texts = {text for tree in trees for text in _texts(tree)}
    assert sorted({error.reason for error in raised} - set(documented)) == [], "raised, and not in docs/errors.md"
    assert sorted(set(documented) - texts) == [], "in docs/errors.md, and nowhere in the code"
    statuses = {(error.reason, str(refusal_of(error).status)) for error in raised}
    statuses |= {refusal for tree in trees for refusal in _refused(tree)}
    assert sorted(statuses - set(documented.items())) == [], "documented with another status"
