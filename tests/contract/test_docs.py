"""The Python examples of docs/development.md and docs/events.md run, and use only what the code has."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest
from mypy import api

ROOT = Path(__file__).resolve().parents[2]
# In the others an example is a part of a file: it names things that the reader's own code has.
WHOLE = ("development.md", "events.md")
BLOCK = re.compile(r"^( *)```python\n(.*?)^ *```$", re.M | re.S)


def examples() -> list[tuple[str, str]]:
    return [
        (f"{Path(name).stem}_{number}", textwrap.dedent(match.group(2)))
        for name in WHOLE
        for number, match in enumerate(BLOCK.finditer((ROOT / "docs" / name).read_text("utf-8")), start=1)
    ]


def complaints(folder: Path, blocks: list[tuple[str, str]]) -> str:
    """What the type checker says about the examples, each as a module of its own."""
    files = [folder / f"{name}.py" for name, _ in blocks]
    for file, (_, text) in zip(files, blocks, strict=True):
        file.write_text(text, "utf-8")
    said, errors, code = api.run(["--config-file", str(ROOT / "pyproject.toml"), *map(str, files)])
    return said + errors if code else ""


@pytest.mark.parametrize(("name", "text"), examples(), ids=[name for name, _ in examples()])
def test_an_example_runs(name: str, text: str) -> None:
    exec(compile(text, name, "exec"), {"__name__": name})


def test_the_examples_use_what_the_code_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert len(examples()) >= 2
    assert complaints(tmp_path, examples()) == ""


def test_an_api_that_does_not_exist_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    wrong = "from libs.events import ReceivedEvent\n\n\ndef f(event: ReceivedEvent) -> object:\n    return event.data\n"
    assert '"ReceivedEvent" has no attribute "data"' in complaints(tmp_path, [("wrong", wrong)])
