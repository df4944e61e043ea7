"""The rules of the house that imports cannot express, each a function from a tree to the list of its violations.

A rule takes the root of a tree, so that test_contracts_bite.py can run it on a copy with a planted violation.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

SOURCE_ROOMS = ("gateway", "services", "providers", "suite", "libs", "local")
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "base", "core", "misc"}
DOMAIN_MAY_IMPORT = {
    "__future__", "abc", "base64", "binascii", "bisect", "collections", "contextlib", "dataclasses", "datetime",
    "decimal", "difflib", "enum", "fractions", "functools", "hashlib", "hmac", "html", "ipaddress", "itertools", "json",
    "math", "operator", "re", "secrets", "string", "typing", "types", "unicodedata", "urllib.parse", "uuid", "zoneinfo",
    "pyotp",  # computes the codes of authenticators
    "zxcvbn.frequency_lists",  # a list of stolen passwords, no code
}  # fmt: skip
# Beside the standard library: errors, readers of JSON, and plain values: what providers report, the services.
DOMAIN_MAY_IMPORT_OF_OURS = {
    "libs.errors", "libs.ids", "libs.keys", "libs.text", "libs.untrusted_json", "providers.interface.credentials",
    "providers.interface.envelopes", "providers.interface.reports", "providers.registry", "suite.formats",
    "suite.mails", "suite.roles", "suite.services", "suite.tables",
}  # fmt: skip
PARAMETER_NAMES = {"Connection": "conn", "JobContext": "ctx"}
SQL = re.compile(r"\b(select\b.+\bfrom|insert\s+into|update\b.+\bset|delete\s+from|create\s+table)\b", re.I | re.S)
SELECT_STAR = re.compile(r"\b(select|returning)\s+(\w+\.)?\*", re.I)
MIGRATION_NAME = re.compile(r"^(\d{4})_[a-z]+_[a-z_]+\.sql$")
SUBJECT = re.compile(r"^(evt|jobs)\.")
METRIC_TYPES = {"Counter", "Gauge", "Histogram", "Summary", "Info", "Enum"}
SYSTEM_DOORS = {"system_transaction", "system_fetch", "system_fetchrow", "system_fetchval", "system_execute"}
ADDRESS_WORDS = re.compile(r"--(?:extra-)?index-url|--find-links|(?<![\w.~])/(?:home|root|Users|work)/\w+")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|for now\b|\bnot implemented yet\b", re.I)
FAKED = re.compile(r"\bunittest\.mock\b|\bMagicMock\b|pytest\.mark\.(skip|xfail)|pytest\.(skip|xfail)\(")


def select_star(root: Path) -> list[str]:
    """Every column is named; the wrappers of libs.postgres repeat the columns that an inner query names."""
    wrappers = {root / "libs" / "postgres" / name for name in ("fence.py", "listing.py")}
    return [f"{_short(root, path)}: {match.group()}" for path in (*_python(root), *_sql(root)) if path not in wrappers
            for match in SELECT_STAR.finditer(_text(path))]  # fmt: skip


def migrations(root: Path) -> list[str]:
    """Numbered without a gap, named verb_noun, forward only, and never waiting long for a lock."""
    found = []
    folders = [
        *root.glob("services/*/storage/migrations"),
        root / "libs/postgres/engine",
        root / "libs/jobs/store/migrations",
    ]
    for folder in folders:
        files = sorted(folder.glob("*.sql"))
        for number, path in enumerate(files, start=1):
            named = MIGRATION_NAME.match(path.name)
            if named is None or int(named.group(1)) != number:
                found.append(
                    f"{_short(root, path)}: expected number {number:04d} and a name like 0001_create_agents.sql"
                )
            if "lock_timeout" not in _text(path):
                found.append(f"{_short(root, path)}: sets no lock_timeout")
        found += [f"{_short(root, path)}: is not a forward migration" for path in folder.glob("*") if _goes_back(path)]
    return found


def _goes_back(path: Path) -> bool:
    return path.is_file() and (path.suffix != ".sql" or re.search(r"(down|rollback|revert)", path.stem) is not None)


def subjects(root: Path) -> list[str]:
    """A subject of NATS is written in one file."""
    table = root / "libs" / "bus" / "subjects.py"
    return [
        f"{_short(root, path)}:{line}: {text!r}"
        for path in _python(root)
        if path != table
        for line, text in _strings(path)
        if SUBJECT.match(text)
    ]


def topics(root: Path) -> list[str]:
    """Whatever an event is made of is declared in libs/events/topics.py, for the service that makes it."""
    declared = _declared_topics(root)
    return [
        f"{_short(root, path)}:{line}: {text!r} is not a topic of this service"
        for path in _python(root)
        for line, text in _told_topics(path)
        if declared.get(text) not in ("", _service_of(root, path))
    ]


def unsent_topics(root: Path) -> list[str]:
    """Whatever is declared is appended by its service: customers subscribe to what the table offers."""
    sent = {
        (_service_of(root, path), text)
        for path in root.glob("services/**/*.py")
        for _, text in (*_told_topics(path), *(_strings(path) if "domain" in path.parts else ()))
    }
    declared = _declared_topics(root).items()
    return [f"{topic} is never appended" for topic, owner in declared if owner and (owner, topic) not in sent]


def _declared_topics(root: Path) -> dict[str, str]:
    """Topic -> owner, as the table's calls `_topics(owner, message, entity__verb=…)` say it."""
    calls = _calls(root / "libs" / "events" / "topics.py", {"_topics"})
    rows = [(arg.value, call.keywords) for call in calls for arg in call.args if isinstance(arg, ast.Constant)]
    return {str(one.arg).replace("__", "."): str(owner) for owner, keywords in rows for one in keywords}


def subscribers_read(root: Path) -> list[str]:
    """A handler reads the message of each topic that it is listed for: the other half of `ReceivedEvent.read`."""
    messages = {
        str(name.arg).replace("__", "."): _last_name(call.args[1])
        for call in _calls(root / "libs" / "events" / "topics.py", {"_topics"})
        for name in call.keywords
    }
    return [
        f"{_short(root, path)}: {handler} reads {read} of {topic}, which carries {messages[topic]}"
        for path in root.glob("services/**/*.py")
        for topic, handler in _listed_handlers(path, messages.keys())
        for read in _read_messages(path, handler)
        if read != messages[topic]
    ]


def _listed_handlers(path: Path, topics: Collection[str]) -> Iterator[tuple[str, str]]:
    """Topic and the name of its function, from every dictionary that is written out."""
    for node in ast.walk(_tree(path)):
        for key, value in zip(node.keys, node.values, strict=True) if isinstance(node, ast.Dict) else ():
            if isinstance(key, ast.Constant) and key.value in topics:
                handler = value.args[0] if isinstance(value, ast.Call) and value.args else value  # Together(handler)
                yield str(key.value), _last_name(handler)


def _read_messages(path: Path, function: str) -> Iterator[str]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == function:
            for call in ast.walk(node):
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "read":
                    yield from (_last_name(argument) for argument in call.args)


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _told_topics(path: Path) -> Iterator[tuple[int, str]]:
    """The literal topics of events that are built here: by Event itself, or by a mapping's `agent_event(topic, ...)`.
    A topic that a rule chooses (credit.low) is a literal of its service's domain."""
    builders = {
        call.func.id
        for call in ast.walk(_tree(path))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id.endswith("_event")
    }
    return _arguments(path, {"Event", *builders}, "topic")


def _service_of(root: Path, path: Path) -> str:
    parts = path.relative_to(root).parts
    return parts[1] if parts[0] == "services" else ""


def metrics(root: Path) -> list[str]:
    """Metrics are declared in one file, each name once."""
    table = root / "libs" / "telemetry" / "metrics.py"
    elsewhere = [
        f"{_short(root, path)}:{call.lineno}: declares a metric"
        for path in _python(root)
        if path != table and "prometheus_client" in _text(path)
        for call in _calls(path, METRIC_TYPES)
    ]
    names = [call.args[0].value for call in _calls(table, METRIC_TYPES) if isinstance(call.args[0], ast.Constant)]
    return elsewhere + [f"{name} is declared twice" for name in sorted(set(map(str, names))) if names.count(name) > 1]


def service_shape(root: Path) -> list[str]:
    """Every service has its required rooms, a README and a folder of protos."""
    found = []
    for folder in _services(root):
        required = ("__main__.py", "config.py", "README.md", "storage/__init__.py", "domain/__init__.py")
        found += [f"services/{folder.name}: {name} is missing" for name in required if not (folder / name).exists()]
        if not any((folder / room).exists() for room in ("servicer.py", "servicer/__init__.py")):
            found.append(f"services/{folder.name}: has no servicer")
        if not list((root / "protos" / "echosenseix" / folder.name / "v1").glob("*.proto")):
            found.append(f"services/{folder.name}: has no proto folder")
        main = folder / "__main__.py"
        if main.exists() and _lines_of_code(main) >= 60:
            found.append(f"services/{folder.name}/__main__.py: {_lines_of_code(main)} lines; it stays below 60")
    return found


def _lines_of_code(path: Path) -> int:
    """Lines that do something: without the imports, which grow with what is wired, the docstring and empty lines."""
    told = {line for node in _tree(path).body if isinstance(node, (ast.Import, ast.ImportFrom, ast.Expr))
            for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}  # fmt: skip
    return sum(1 for number, text in enumerate(_text(path).splitlines(), 1) if text.strip() and number not in told)


def service_names(root: Path) -> list[str]:
    """The same thing has the same name in every service: a connection, a job's context, a call's context, a service's
    entry in the table, its job handlers and its subscribers."""
    found = [
        f"{_short(root, path)}:{argument.lineno}: {argument.arg} is named {PARAMETER_NAMES[annotation]} elsewhere"
        for path in root.glob("services/**/*.py")
        if "protocol" not in path.parts  # there a connection is a socket's
        for argument, annotation in _parameters(path)
        if argument.arg != PARAMETER_NAMES.get(annotation, argument.arg)
    ]
    found += [
        f"{_short(root, path)}:{argument.lineno}: the context of a call is an object"
        for path in (*root.glob("services/*/servicer.py"), *root.glob("services/*/servicer/*.py"))
        for argument, annotation in _parameters(path)
        if argument.arg == "context" and annotation != "object"
    ]
    for folder in _services(root):
        if (main := folder / "__main__.py").exists() and "as SERVICE\n" not in _text(main):
            found.append(f"{_short(root, main)}: imports no SERVICE from suite.services")
        for jobs in (folder / "jobs.py", folder / "jobs" / "__init__.py"):
            if jobs.exists() and "\ndef job_handlers(" not in _text(jobs):
                found.append(f"{_short(root, jobs)}: has no job_handlers")
        if (subscribers := folder / "subscribers.py").exists() and "\nclass Subscribers:" not in _text(subscribers):
            found.append(f"{_short(root, subscribers)}: has no Subscribers")
    return found


def _parameters(path: Path) -> Iterator[tuple[ast.arg, str]]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.arg) and node.annotation is not None:
            yield node, ast.unparse(node.annotation)


def domain_imports(root: Path) -> list[str]:
    """A domain imports only a short list of modules and itself. A list of forbidden modules would have gaps."""
    found = []
    for path in root.glob("services/*/domain/**/*.py"):
        own = f"services.{path.relative_to(root).parts[1]}.domain"
        for line, name in _imports(path):
            allowed = (
                name in DOMAIN_MAY_IMPORT
                or name.split(".")[0] in DOMAIN_MAY_IMPORT - {"urllib"}
                or name in DOMAIN_MAY_IMPORT_OF_OURS
                or (name + ".").startswith(own + ".")
                or re.match(r"\.\w", name)
            )
            if not allowed:
                found.append(f"{_short(root, path)}:{line}: imports {name}")
    return found


def module_names(root: Path) -> list[str]:
    """A module says what it owns; these names say nothing."""
    rooms = (*SOURCE_ROOMS, "tests", "bench", "clients")
    return [
        _short(root, path)
        for room in rooms
        for path in (root / room).rglob("*")
        if (path.suffix == ".py" or path.is_dir()) and path.stem in BANNED_NAMES
    ]


def environment(root: Path) -> list[str]:
    """Settings come through libs.config; the local runner, and who starts a child, make environments out of theirs."""
    makers = (root / "libs" / "config.py", root / "libs" / "sandbox" / "sandbox.py")
    return [
        f"{_short(root, path)}:{line}: {name}"
        for path in _python(root)
        if path not in makers and root / "local" not in path.parents
        for line, name in _attributes(path)
        if name in ("os.environ", "os.getenv", "os.environb", "os.putenv")
    ]


def sql_place(root: Path) -> list[str]:
    """SQL is written in storage; a servicer, job or mapping asks a repository."""
    return [
        f"{_short(root, path)}:{line}: {' '.join(text.split())[:60]!r}"
        for path in [*root.glob("services/**/*.py"), *root.glob("gateway/**/*.py")]
        if "storage" not in path.relative_to(root).parts
        for line, text in _strings(path)
        if SQL.search(text) and not _is_docstring(path, line)
    ]


def system_doors(root: Path) -> set[str]:
    """The modules that pass the fence between organizations; test_tree.py lists them with their reasons."""
    return {
        _short(root, path)
        for path in _python(root)
        if root / "libs" / "postgres" not in path.parents
        and any(isinstance(node, ast.Attribute) and node.attr in SYSTEM_DOORS for node in ast.walk(_tree(path)))
    }


def docstrings(root: Path) -> list[str]:
    """Every module says what it owns and what it must not do."""
    return [
        _short(root, path) for path in _python(root) if _text(path).strip() and ast.get_docstring(_tree(path)) is None
    ]


def unfinished(root: Path) -> list[str]:
    return [
        f"{_short(root, path)}: {match.group()}"
        for path in (*_python(root), *_sql(root))
        for match in UNFINISHED.finditer(_text(path))
    ]


def places(root: Path) -> list[str]:
    """No file names a package index or a folder of one machine."""
    suffixes = (".py", ".md", ".toml", ".txt", ".sql", ".yaml", ".json", ".sh")
    files = [path for room in (*SOURCE_ROOMS, "docs", "tests", "bench", "clients", "requirements", ".ci")
             for path in (root / room).rglob("*") if path.suffix in suffixes or path.name == "run"]  # fmt: skip
    files += [
        path for path in root.glob("*") if path.is_file() and (path.suffix in suffixes or path.name == "Makefile")
    ]
    return [
        f"{_short(root, path)}: {match.group()}"
        for path in files
        if path.name != "tree_rules.py"
        for match in ADDRESS_WORDS.finditer(_text(path))
    ]


# PostgreSQL 15 is Debian's; where it is not installed, its test says so and is left out.
LEFT_OUT = {("tests/e2e/test_postgresql_15.py", "pytest.mark.skip")}


def real_parts(root: Path) -> list[str]:
    """Tests run on real parts: nothing is faked, nothing is left out."""
    return [
        f"{_short(root, path)}: {match.group()}"
        for path in (root / "tests").rglob("*.py")
        if path.name not in ("tree_rules.py", "test_contracts_bite.py")
        for match in FAKED.finditer(_text(path))
        if (_short(root, path), match.group()) not in LEFT_OUT
    ]


RULES: tuple[Callable[[Path], list[str]], ...] = (
    select_star, migrations, subjects, topics, unsent_topics, subscribers_read, metrics, service_shape, service_names,
    domain_imports, module_names, environment, sql_place, docstrings, unfinished, places, real_parts,
)  # fmt: skip


def _services(root: Path) -> list[Path]:
    return sorted(path for path in (root / "services").iterdir() if (path / "__init__.py").exists())


def _python(root: Path) -> Iterator[Path]:
    return (path for room in SOURCE_ROOMS for path in sorted((root / room).rglob("*.py")))


def _sql(root: Path) -> Iterator[Path]:
    return (path for room in SOURCE_ROOMS for path in sorted((root / room).rglob("*.sql")))


_known: dict[tuple[Path, int], tuple[str, ast.Module | None]] = {}


def _load(path: Path) -> tuple[str, ast.Module | None]:
    """Read and parse once per version of a file: a dozen rules look at each."""
    key = (path, path.stat().st_mtime_ns)
    if key not in _known:
        text = path.read_text(encoding="utf-8", errors="replace")
        _known[key] = (text, ast.parse(text) if path.suffix == ".py" else None)
    return _known[key]


def _text(path: Path) -> str:
    return _load(path)[0]


def _tree(path: Path) -> ast.Module:
    tree = _load(path)[1]
    assert tree is not None
    return tree


def _strings(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def _is_docstring(path: Path, line: int) -> bool:
    holders = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return any(
        isinstance(node, holders) and node.body and isinstance(node.body[0], ast.Expr) and node.body[0].lineno == line
        for node in ast.walk(_tree(path))
    )


def _calls(path: Path, names: set[str]) -> Iterator[ast.Call]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in names:
                yield node


def _arguments(path: Path, names: set[str], keyword: str) -> Iterator[tuple[int, str]]:
    """The literal that a call of one of `names` gets as its first argument or by that keyword."""
    for call in _calls(path, names):
        values = [*call.args[:1], *(word.value for word in call.keywords if word.arg == keyword)]
        for value in values:
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield value.lineno, value.value


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if module in ("libs", "services"):
                yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, f"{'.' * node.level}{module}"


def _attributes(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield node.lineno, f"{node.value.id}.{node.attr}"
        elif isinstance(node, ast.ImportFrom) and node.module == "os":
            yield from ((node.lineno, f"os.{alias.name}") for alias in node.names)


def _short(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()
