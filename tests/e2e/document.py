"""The OpenAPI document as a tester reads it: operations, parameters, body fields and what an answer must look like."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from gateway.routes.documentation import FILE

DOCUMENT: dict[str, Any] = json.loads(FILE.read_bytes())
ERRORS = Path(__file__).resolve().parents[2] / "docs" / "errors.md"
# Code -> status, as the guide for clients has them.
CODES = {
    code: int(status)
    for code, status in re.findall(r"^\| `([a-z0-9_]+)` \| (\d{3}) \|", ERRORS.read_text("utf-8"), re.MULTILINE)
}
PROBLEM_KEYS = {"type", "title", "status", "detail", "instance", "code", "requestId", "errors"}


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    spec: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def is_list(self) -> bool:
        return {"page", "cursor"} <= set(self.parameters("query"))

    def parameters(self, place: str) -> dict[str, dict[str, Any]]:
        """Name -> declaration of the parameters in path, query or header."""
        return {known["name"]: known for known in self.spec.get("parameters", ()) if known["in"] == place}

    def at(self, **values: str) -> str:
        """The path with its parameters filled; what is not given becomes an id of nothing."""
        return re.sub(r"\{(\w+)\}", lambda found: quote(values.get(found[1], "nothing"), safe=""), self.path)

    @property
    def body(self) -> tuple[str, dict[str, Any]] | None:
        """Media type and declaration of the JSON body."""
        content: dict[str, Any] = self.spec.get("requestBody", {}).get("content", {})
        return next(((kind, media) for kind, media in content.items() if kind.endswith("json")), None)

    @property
    def example(self) -> Any:
        """A valid body, or an empty object."""
        return self.body[1].get("example", {}) if self.body else {}

    def fields(self) -> dict[tuple[str | int, ...], dict[str, Any]]:
        """Path -> schema of every field of the body, one item deep into lists; the empty path is the body itself."""
        return dict(_fields(self.body[1]["schema"])) if self.body else {}

    def validator(self, status: int) -> Draft202012Validator | None:
        """What checks the JSON of an answer."""
        return _validator(self.method.lower(), self.path, str(status))


def resolve(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema behind a reference."""
    while "$ref" in schema:
        target: Any = DOCUMENT
        for step in schema["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        schema = target
    return schema


_Path = tuple[str | int, ...]


def _fields(schema: dict[str, Any], path: _Path = ()) -> Iterator[tuple[_Path, dict[str, Any]]]:
    schema = resolve(schema)
    yield path, schema
    for option in schema.get("anyOf", ()):
        yield from (found for found in _fields(option, path) if found[0] != path)
    if "items" in schema:
        yield from _fields(schema["items"], (*path, 0))
    if isinstance(schema.get("additionalProperties"), dict) or (path and schema == {"type": "object"}):
        yield (*path, "anything"), {}
    for name, inner in schema.get("properties", {}).items():
        yield from _fields(inner, (*path, name))


@functools.cache
def _validator(method: str, path: str, status: str) -> Draft202012Validator | None:
    response = resolve(DOCUMENT["paths"][path][method]["responses"][status])
    for kind, media in response.get("content", {}).items():
        if kind.endswith("json"):
            return Draft202012Validator({**media["schema"], "components": DOCUMENT["components"]})
    return None


OPERATIONS = tuple(
    Operation(method.upper(), path, spec)
    for path, methods in DOCUMENT["paths"].items()
    for method, spec in methods.items()
    if "servers" not in spec
)


def faults_of(operation: Operation, answer: httpx.Response) -> Iterator[str]:
    """What of an answer contradicts the document or the rules of problems; nothing if all is well."""
    status = answer.status_code
    if status == 500:
        yield "500"
        return
    if str(status) not in operation.spec["responses"]:
        yield f"{status} is not documented: {answer.text[:160]}"
        return
    validator = operation.validator(status)
    if answer.is_error and answer.headers.get("content-type") == "application/problem+json":
        yield from _problem_faults(answer)
    elif answer.is_error and validator is None:
        yield f"{status} without a problem document"
    declared = resolve(operation.spec["responses"][str(status)]).get("content", {})
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if (
        answer.content
        and kind not in declared
        and not any(one.startswith(("*/", f"{kind.split('/')[0]}/*")) for one in declared)
    ):
        yield f"{status} with the media type {kind}, documented are {sorted(declared)}"
    if validator is not None and kind == "application/json":
        for error in validator.iter_errors(answer.json()):
            yield f"{status} does not fit its schema at {error.json_path}: {error.message[:200]}"


def _problem_faults(answer: httpx.Response) -> Iterator[str]:
    problem = answer.json()
    if set(problem) != PROBLEM_KEYS:
        yield f"a problem with the keys {sorted(problem)}"
        return
    if CODES.get(problem["code"]) != answer.status_code:
        yield f"{answer.status_code} {problem['code']} is not in docs/errors.md"
    if problem["status"] != answer.status_code or problem["requestId"] != answer.headers["x-request-id"]:
        yield "a problem that contradicts its response"
    for violation in problem["errors"]:
        if not violation["detail"] or not violation["code"] or not violation["pointer"].startswith("#"):
            yield f"an incomplete violation: {violation}"
