"""docs/configuration.md, generated from the settings classes: `python -m local.tools.configuration` writes it.

The classes are found by name at run time: tools know no service when they are imported.
"""

from __future__ import annotations

import dataclasses
import importlib
import sys
import typing
from typing import Any

from local.paths import ROOT
from suite.services import SERVICES

FILE = ROOT / "docs" / "configuration.md"
_HEAD = """# Configuration

Generated from the settings classes by `make configuration`; do not edit it. Every process reads its environment once,
at the start, and tells every problem at once. `NAME_FILE` names a file that holds the value of NAME: in production
secrets come as files. Lists are separated by commas. An empty text stands for none.
"""


def render() -> str:
    """The whole page."""
    config = importlib.import_module("libs.config")
    process, service = config.ProcessSettings, config.ServiceSettings
    sections = [("Every process", process, None), ("Every service", service, process)]
    gateway = importlib.import_module("gateway.config").GatewaySettings
    sections.append(("Gateway", gateway, process))
    for name, entry in SERVICES.items():
        module = importlib.import_module(f"services.{name}.config")
        own = [
            value
            for value in vars(module).values()
            if isinstance(value, type) and issubclass(value, service) and value is not service
        ]
        sections += [(entry.deployable.capitalize(), kind, service) for kind in own]
    return _HEAD + "".join(_section(title, kind, base) for title, kind, base in sections)


def _section(title: str, kind: Any, base: Any) -> str:
    known = {field.name for field in dataclasses.fields(base)} if base else set()
    fields = [field for field in dataclasses.fields(kind) if field.name not in known and "env" in field.metadata]
    if not fields:
        return ""
    hints = typing.get_type_hints(kind)
    rows = "".join(_row(field, hints[field.name]) for field in fields)
    return f"\n## {title}\n\n| variable | type | default | meaning |\n|---|---|---|---|\n{rows}"


def _row(field: Any, hint: Any) -> str:
    meaning = field.metadata["help"] or field.name.replace("_", " ")
    if field.metadata["secret"]:
        meaning += " (secret)"
    return f"| `{field.metadata['env']}` | {_type(hint)} | {_default(field)} | {meaning.replace('|', '/')} |\n"


def _type(hint: Any) -> str:
    origin = typing.get_origin(hint)
    if origin is tuple:
        return "list"
    if origin is not None:
        return _type(next(option for option in typing.get_args(hint) if option is not type(None)))
    return {int: "whole number", float: "number", bool: "true or false", str: "text"}[hint]


def _default(field: Any) -> str:
    if field.default is dataclasses.MISSING:
        return "required" if field.default_factory is dataclasses.MISSING else "made at the start"
    if field.default in (None, "", ()):
        return "none"
    value = ",".join(map(str, field.default)) if isinstance(field.default, tuple) else field.default
    return f"`{value}`"


if __name__ == "__main__":
    FILE.write_text(render(), encoding="utf-8")
    sys.exit(0)
