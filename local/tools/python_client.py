"""`make python-client`: writes the types and the methods of clients/python from the OpenAPI document.

Two modules: a TypedDict for each schema, and a method for each operation, for the sync and the async client.
"""

from __future__ import annotations

import json
import keyword
import re
import sys
from collections.abc import Iterator
from typing import Any

from local.paths import ROOT

DOCUMENT = ROOT / "gateway" / "openapi.json"
FOLDER = ROOT / "clients" / "python" / "echosenseix" / "generated"
_HEAD = '"""{about} Written by `make python-client` from gateway/openapi.json."""\n\n# ruff: noqa\n'
# Groups that a client has no use for: pages for people, and receivers that only others call.
LEFT_OUT = frozenset(("Documentation", "Webhooks in", "Console"))
# Set by the iterator over a list.
_PAGING = frozenset(("page", "cursor"))


def main() -> int:
    for name, text in written(json.loads(DOCUMENT.read_bytes())).items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


def written(document: dict[str, Any]) -> dict[str, str]:
    """File name -> text."""
    return {"models.py": "".join(_models(document)), "resources.py": "".join(_resources(document))}


def _models(document: dict[str, Any]) -> Iterator[str]:
    yield _HEAD.format(about="The JSON of the API as types.")
    yield "from __future__ import annotations\n\nfrom typing import Any, Literal, NotRequired, TypedDict\n"
    for name, schema in document["components"]["schemas"].items():
        if name.endswith("List") and "nextCursor" in schema.get("properties", {}):
            continue  # rows.Page
        yield from _model(name, schema)


def _model(name: str, schema: dict[str, Any]) -> Iterator[str]:
    required = set(schema.get("required", ()))
    fields = {
        field: _type(inner) if field in required else f"NotRequired[{_type(inner)}]"
        for field, inner in schema.get("properties", {}).items()
    }
    if any(keyword.iskeyword(field) for field in fields):
        inside = ", ".join(f'"{field}": "{hint}"' for field, hint in fields.items())
        yield f'\n\n{name} = TypedDict("{name}", {{{inside}}})\n'
        return
    about = " ".join(schema.get("description", "").split())
    yield f"\n\nclass {name}(TypedDict):\n" + (f'    """{about}"""\n\n' if about else "")
    for field, hint in fields.items():
        yield f"    {field}: {hint}\n"
        told = schema["properties"][field].get("description", "")
        if told:
            yield f"    {json.dumps(told, ensure_ascii=False)}\n"
    if not fields:
        yield "    pass\n"


def _type(schema: dict[str, Any], prefix: str = "") -> str:
    if "$ref" in schema:
        return prefix + str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_type(option, prefix) for option in schema["anyOf"]))
    if "enum" in schema:
        return f"Literal[{', '.join(json.dumps(value) if value is not None else 'None' for value in schema['enum'])}]"
    kind = schema.get("type")
    if kind == "array":
        return f"list[{_type(schema['items'], prefix)}]"
    if kind == "object":
        inner = schema.get("additionalProperties")
        return f"dict[str, {_type(inner, prefix) if isinstance(inner, dict) else 'Any'}]"
    known = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
    return known.get(str(kind), "Any")


def _resources(document: dict[str, Any]) -> Iterator[str]:
    yield _HEAD.format(about="The operations of the API by group, for the sync and the async client.")
    yield (
        "from __future__ import annotations\n\nfrom typing import TYPE_CHECKING, Any, Literal\n\n"
        "from . import models as m\nfrom ..requests import Call, segment\nfrom ..rows import AsyncRows, Rows\n"
        "from ..uploads import Progress, Source\n\n"
        "if TYPE_CHECKING:\n    from ..client import AsyncClient, Client\n"
    )
    groups: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if operation["tags"][0] not in LEFT_OUT and "servers" not in operation:
                groups.setdefault(operation["tags"][0], []).append((method.upper(), path, operation))
    for prefix in ("", "Async"):
        for tag, operations in groups.items():
            yield f"\n\nclass {prefix}{_class(tag)}:\n"
            yield f"    def __init__(self, client: {prefix}Client) -> None:\n        self._client = client\n"
            for method, path, operation in operations:
                yield "\n" + _Method(method, path, operation, is_async=bool(prefix)).text()
        yield f"\n\nclass {prefix}Groups:\n    def __init__(self, client: {prefix}Client) -> None:\n"
        for tag in groups:
            yield f"        self.{_snake(tag)} = {prefix}{_class(tag)}(client)\n"


class _Method:
    """One operation as a method."""

    def __init__(self, method: str, path: str, operation: dict[str, Any], *, is_async: bool) -> None:
        self._method, self._path, self._operation, self._is_async = method, path, operation, is_async
        known = operation.get("parameters", ())
        self._params = {place: [one for one in known if one["in"] == place] for place in ("path", "query", "header")}
        self._headers = {one["name"] for one in self._params["header"]}
        self._status, self._answer = next(
            (status, answer) for status, answer in operation["responses"].items() if status < "300"
        )

    def text(self) -> str:
        row = self._row()
        if row:
            return self._list(row)
        kind, call = self._kind()
        wait, define = ("await ", "async def") if self._is_async else ("", "def")
        returned = "" if kind == "None" else "return "
        return (
            f"    {define} {self._operation['operationId']}({', '.join(self._arguments())}) -> {kind}:\n"
            f"{self._about()}        {returned}{wait}{call}\n"
        )

    def _row(self) -> str:
        name = str(self._schema().get("$ref", "")).rpartition("/")[2]
        if not name.endswith("List") or self._operation["operationId"].startswith("get_"):
            return ""
        return "dict[str, Any]" if name == "EnvelopeList" else f"m.{name.removesuffix('List')}"

    def _list(self, row: str) -> str:
        cursor = "after" if any(one["name"] == "after" for one in self._params["query"]) else "cursor"
        rows = "AsyncRows" if self._is_async else "Rows"
        query = [one for one in self._params["query"] if one["name"] not in _PAGING | {cursor}]
        arguments = ["self", *self._path_arguments(), "*", *map(_query_argument, query)]
        return (
            f"    def {self._operation['operationId']}({', '.join(arguments)}) -> {rows}[{row}]:\n{self._about()}"
            f"        params = {{{_pairs(query)}}}\n"
            f"        return self._client.rows({row}, {self._formatted()}, params, {json.dumps(cursor)})\n"
        )

    def _schema(self) -> dict[str, Any]:
        found: dict[str, Any] = self._answer.get("content", {}).get("application/json", {}).get("schema", {})
        return found

    def _kind(self) -> tuple[str, str]:
        """What the method returns, and the expression that asks."""
        form = self._operation.get("requestBody", {}).get("content", {}).get("multipart/form-data")
        if form:
            return self._upload(form["schema"])
        if self._schema():
            kind = _type(self._schema(), "m.")
            return kind, f"self._client.answer({kind}, {self._call()})"
        if self._answer.get("content"):
            return "bytes", f"self._client.content({self._call()})"
        return "None", f"self._client.nothing({self._call()})"

    def _upload(self, form: dict[str, Any]) -> tuple[str, str]:
        kind, field = _type(self._schema(), "m."), form["required"][0]
        fields = ", ".join(f'"{name}": {_snake(name)}' for name in form["properties"] if name != field)
        return kind, (
            f"self._client.upload({kind}, {self._formatted()}, {json.dumps(field)}, {field}, file_name, {{{fields}}}, "
            "on_progress, idempotency_key)"
        )

    def _arguments(self) -> list[str]:
        found = ["self", *self._path_arguments()]
        content = self._operation.get("requestBody", {}).get("content", {})
        if "multipart/form-data" in content:
            schema = content["multipart/form-data"]["schema"]
            field = schema["required"][0]
            more = [f"{_snake(name)}: str | None = None" for name in schema["properties"] if name != field]
            found += [f"{field}: Source", "*", "file_name: str | None = None", *more]
            return [*found, "on_progress: Progress | None = None", "idempotency_key: str | None = None"]
        if "application/json" in content:
            hint = _type(content["application/json"]["schema"], "m.")
            required = self._operation["requestBody"]["required"]
            found.append(f"body: {hint}" if required else f"body: {hint} | None = None")
        more = [_query_argument(one) for one in self._params["query"]]
        more += [f"{name}: str | None = None" for header, name in _HEADER_ARGUMENTS if header in self._headers]
        return [*found, "*", *more] if more else found

    def _path_arguments(self) -> list[str]:
        return [f"{_snake(one['name'])}: {_path_type(one['schema'])}" for one in self._params["path"]]

    def _formatted(self) -> str:
        path = re.sub(r"\{(\w+)\}", lambda found: "{segment(" + _snake(found[1]) + ")}", self._path)
        return f'f"{path}"' if "{segment(" in path else f'"{path}"'

    def _call(self) -> str:
        parts = [f'"{self._method}"', self._formatted()]
        if self._params["query"]:
            parts.append(f"params={{{_pairs(self._params['query'])}}}")
        if "application/json" in self._operation.get("requestBody", {}).get("content", {}):
            parts.append("json=body" if self._operation["requestBody"]["required"] else "json=body or {}")
        sent = [(header, name) for header, name in _HEADER_ARGUMENTS if header in self._headers]
        sent = [(header, name) for header, name in sent if header != "Idempotency-Key"]
        if sent:
            pairs = ", ".join(f'("{header}", {name})' for header, name in sent)
            parts.append(f"headers={{name: value for name, value in ({pairs},) if value is not None}}")
        if "Idempotency-Key" in self._headers:
            parts.append("keyed=True, idempotency_key=idempotency_key")
        return f"Call({', '.join(parts)})"

    def _about(self) -> str:
        told = f"{self._operation['summary']}. {self._operation.get('description', '')}".strip()
        return f'        """{told}"""\n'


# Headers that a method takes as arguments. A read that is not changed would have no answer, so If-None-Match is left.
_HEADER_ARGUMENTS = (("If-Match", "if_match"), ("Range", "range"), ("Idempotency-Key", "idempotency_key"))


def _query_argument(parameter: dict[str, Any]) -> str:
    return f"{_snake(parameter['name'])}: {_type(parameter['schema'])} | None = None"


def _path_type(schema: dict[str, Any]) -> str:
    return "int" if schema.get("type") == "integer" else "str"


def _pairs(parameters: list[dict[str, Any]]) -> str:
    return ", ".join(f'"{one["name"]}": {_snake(one["name"])}' for one in parameters)


def _class(tag: str) -> str:
    return "".join(word[0].upper() + word[1:] for word in tag.split())


def _snake(name: str) -> str:
    snake = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name.replace(" ", "_")).lower()
    return f"{snake}_" if keyword.iskeyword(snake) else snake


if __name__ == "__main__":
    sys.exit(main())
