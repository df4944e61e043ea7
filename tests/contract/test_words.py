"""The words of the tree (docs/glossary.md): no private or metaphorical term, American spelling, and a comment for each
tuning constant."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("gateway", "services", "providers", "libs", "suite", "local", "bench", "tests", "docs", "protos", "k8s")
TEXT = {".py", ".md", ".proto", ".yaml", ".toml", ".js", ".css", ".html"}
# Words with a term of the field in their place. Applied migrations keep theirs: their checksum is stored.
DENIED = {
    r"guilty|innocent": "the job that kills its process",
    r"deaf|mute": "disconnected, not subscribed",
    r"nobody|everybody|somebody|whoever": "name the caller, client, process or organization",
    r"mend|mends|mended|mending": "correct, repair, fix",
    r"bury|buries|buried": "dead-letter",
    r"wish|wishes|wished": "the request, the body, what is asked or sent",
    r"heirs?": "successors, updates",
    r"what stays": "retention",
    r"who is next": "order of claims",
    r"strikes? again": "fails again",
    r"stays the news|at its next word|without a word|last words": "say what happens",
    r"behind the scenes": "in the background",
    r"comes? to rest|put to rest": "cleaned, returned",
}
# The names of Unix users, which are not ours, and tests' own sample texts.
EXEMPT = {
    "nobody": (
        "local/processes/",
        "libs/sandbox/",
        "tests/unit/libs/sandbox/",
        "tests/integration/services/test_processes.py",
    )
}
PATTERN = re.compile(r"\b(?:" + "|".join(DENIED) + r")\b", re.IGNORECASE)
BRITISH = re.compile(
    r"organis|recognis|normalis|serialis|initialis|authoris|summaris|minimis|maximis|optimis|finalis|tokenis|synchronis"
    r"|behaviour|colour|favour|honour|licence|centre|catalogue|artefact|cheque",
    re.IGNORECASE,
)
FOREIGN = {"RecentRequests", "drawCentredString"}  # "...centRe...", and a name of reportlab
NUMERIC_CALLS = {"timedelta"}


def files(*suffixes: str) -> Iterator[Path]:
    for top in SOURCES:
        for path in sorted((ROOT / top).rglob("*")):
            parts = path.relative_to(ROOT).parts
            ours = "_pb2" not in path.name and not {"samples", "node_modules", "__pycache__", "vendor"} & set(parts)
            if path.suffix in suffixes and ours and path != Path(__file__):
                yield path
    yield from (path for path in sorted(ROOT.glob("*")) if path.suffix in suffixes)


def denied_in(name: str, text: str) -> list[str]:
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        for match in PATTERN.finditer(line.replace("_", " ")):
            word = match.group().lower()
            if match.group() == "NoBody":  # a schema: the request has no body
                continue
            if not name.startswith(EXEMPT.get(word, ("\0",))):
                found.append(f"{name}:{number}: {word}")
    return found


def british_in(name: str, text: str) -> list[str]:
    return [
        f"{name}:{number}: {word}"
        for number, line in enumerate(text.splitlines(), 1)
        for word in re.findall(r"\w+", line)
        if BRITISH.search(word) and word not in FOREIGN
    ]


def uncommented_in(name: str, text: str) -> list[str]:
    """Numeric constants of a module with no comment above or beside them and no docstring below."""
    lines = text.splitlines()
    found = []
    for node in ast.parse(text).body:
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None or not _is_number(node.value):
            continue
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        names = [part.id for part in ast.walk(target) if isinstance(part, ast.Name)]
        if not names or not all(part.lstrip("_").isupper() for part in names):
            continue
        last = node.end_lineno or node.lineno
        if not (
            any("#" in line for line in lines[node.lineno - 1 : last])
            or lines[max(node.lineno - 2, 0)].startswith("#")
            or "".join(lines[last : last + 1]).startswith('"""')
        ):
            found.append(f"{name}:{node.lineno}: {', '.join(names)}")
    return found


def _is_number(value: ast.expr) -> bool:
    if isinstance(value, ast.Constant):
        return isinstance(value.value, int | float) and not isinstance(value.value, bool)
    if isinstance(value, ast.BinOp):
        return _is_number(value.left) and _is_number(value.right)
    if isinstance(value, ast.Tuple):
        return bool(value.elts) and all(map(_is_number, value.elts))
    if isinstance(value, ast.Call):
        return ast.unparse(value.func).split(".")[-1] in NUMERIC_CALLS
    return isinstance(value, ast.UnaryOp) and _is_number(value.operand)


def test_no_file_uses_a_denied_word() -> None:
    found = [line for path in files(*TEXT) for line in denied_in(_name(path), path.read_text("utf-8"))]
    assert not found, "\n".join([*found, *(f"{words}: {better}" for words, better in DENIED.items())])


def test_names_and_prose_have_american_spelling() -> None:
    found = [line for path in files(*TEXT) for line in british_in(_name(path), path.read_text("utf-8"))]
    assert not found, "\n".join(found)


def test_every_numeric_constant_says_what_it_means() -> None:
    """Its unit, what it was measured against or why it was chosen, and what a change of it does. Numbers of the
    kernel's interface in libs.sandbox name their header instead."""
    rooms = {"gateway", "services", "providers", "libs"}
    found = [
        line
        for path in files(".py")
        if path.relative_to(ROOT).parts[0] in rooms and "libs/sandbox/" not in _name(path)
        for line in uncommented_in(_name(path), path.read_text("utf-8"))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "text", ["# nobody listens", "def test_the_guilty_one() -> None: ...", "What stays", "It strikes again."]
)
def test_a_denied_word_is_found_in_prose_and_names(text: str) -> None:
    assert len(denied_in("libs/x.py", text)) == 1


def test_british_words_and_bare_constants_are_found() -> None:
    assert british_in("x.py", "organisation = 1\n# The behaviour.\n") == ["x.py:1: organisation", "x.py:2: behaviour"]
    assert uncommented_in("x.py", "WAIT_SECONDS = 2 * 0.5\n") == ["x.py:1: WAIT_SECONDS"]
    assert uncommented_in("x.py", "# Seconds.\nWAIT_SECONDS = 0.5\nMOST = 3  # Tries.\n") == []


def test_the_glossary_defines_each_term_once() -> None:
    terms = re.findall(r"^\| \*\*(.+?)\*\* \|", (ROOT / "docs" / "glossary.md").read_text("utf-8"), re.MULTILINE)
    assert len(terms) > 40
    assert sorted(terms, key=str.lower) == sorted(set(terms), key=str.lower)


def test_the_architecture_page_names_every_room() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    rooms = [path for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith((".", "_"))]
    tracked = {room.name for room in rooms} - {"var", "vendor", "wheels"}
    libs = {path.stem for path in (ROOT / "libs").iterdir() if not path.name.startswith((".", "_"))}
    missing = [name for name in tracked if f"`{name}/" not in page] + [name for name in libs if f"`{name}`" not in page]
    assert not missing


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()
