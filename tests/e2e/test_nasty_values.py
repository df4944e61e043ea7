"""Every parameter and body field of the document with nasty values: no 500, and each refusal says where and why."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from . import nasty
from .conftest import Customer
from .document import OPERATIONS, Operation, faults_of
from .things import Things, make_things

_AT_ONCE = 8
_PLACE = '"@@"'
# Their success ends the credential that the test uses.
_ENDING = ("/api/logout", "/api/auth/sessions", "/api/auth/sessions/{id}")


@dataclass(frozen=True)
class Attempt:
    """One request with one nasty value. `pointer` is where a refusal of the value must point, if it points at all."""

    operation: Operation
    where: str
    value: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes = b""
    pointer: str = ""

    def __str__(self) -> str:
        return f"{self.operation}: {self.where} is {self.value}"


@pytest.fixture(scope="module")
def things(customer: Callable[[], Customer]) -> Things:
    return make_things(customer())


def in_queries(things: Things) -> Iterator[Attempt]:
    for operation in OPERATIONS:
        for name, declared in operation.parameters("query").items():
            for label, value in nasty.IN_QUERY.items():
                if nasty.suits(label, declared["schema"]):
                    path = f"{things.path(operation)}?{name}={value}"
                    yield Attempt(operation, f"query {name}", label, path, pointer=f"#/{name}")


def in_paths(things: Things) -> Iterator[Attempt]:
    for operation in OPERATIONS:
        known = things.ids.get(operation.path.partition("/{")[0], {})
        for name in operation.parameters("path"):
            for label, value in nasty.IN_PATH.items():
                path = operation.at(**{**known, name: "@@"}).replace("%40%40", value)
                yield Attempt(operation, f"path {name}", label, path, *_valid(operation))


def in_headers(things: Things) -> Iterator[Attempt]:
    for operation in OPERATIONS:
        if operation.path in _ENDING:
            continue
        path = operation.at() if operation.method == "DELETE" else things.path(operation)
        names = ("If-None-Match", "Range") if operation.method == "GET" else ("Idempotency-Key",)
        for name in ("If-Match", "X-Min-Version", *names):
            for label, value in nasty.IN_HEADER.items():
                headers, content = _valid(operation)
                yield Attempt(operation, f"header {name}", label, path, {**headers, name: value}, content)


def in_bodies(things: Things) -> Iterator[Attempt]:
    for operation in OPERATIONS:
        if operation.body is None or operation.path.startswith("/api/webhooks/"):
            continue
        for steps, schema in operation.fields().items():
            for label, value in nasty.IN_JSON.items():
                if not nasty.suits(label, schema):
                    continue
                example = {} if steps[:1] == ("events",) else operation.example  # one event, or many
                body = json.dumps(_placed(example, steps)).replace(_PLACE, value, 1)
                headers = {"Content-Type": operation.body[0]}
                pointer = "#" + "".join(f"/{step}" for step in steps)
                where = f"body {pointer}"
                yield Attempt(operation, where, label, things.path(operation), headers, body.encode(), pointer)


def in_reports(things: Things) -> Iterator[Attempt]:
    """Unsigned reports of providers: the proof is refused before the body is read."""
    for operation in OPERATIONS:
        if operation.path.startswith("/api/webhooks/"):
            for label, value in nasty.IN_JSON.items():
                yield Attempt(operation, "the report", label, operation.at(), content=value.encode())


def _valid(operation: Operation) -> tuple[dict[str, str], bytes]:
    if operation.body is None:
        return {}, b""
    return {"Content-Type": operation.body[0]}, json.dumps(operation.example).encode()


def _placed(example: Any, steps: tuple[str | int, ...]) -> Any:
    """The example with the placeholder at a path; what is missing on the way is made."""
    if not steps:
        return "@@"
    step, rest = steps[0], steps[1:]
    if isinstance(step, int):
        items = example if isinstance(example, list) else []
        return [_placed(items[0] if items else None, rest), *items[1:]]
    known = example if isinstance(example, dict) else {}
    return {**known, step: _placed(known.get(step), rest)}


def _misplaced(attempt: Attempt, answer: httpx.Response) -> Iterator[str]:
    """A refusal of the value names its place, or one inside it."""
    if answer.status_code == 422 or (answer.status_code == 400 and answer.json()["code"] == "invalid_query"):
        problem = answer.json()
        if problem["code"] in ("validation_failed", "invalid_query"):
            pointers = {violation["pointer"]: violation["code"] for violation in problem["errors"]}
            if not pointers:
                yield f"{problem['code']} without a pointer"
            elif attempt.pointer and not any(_fits(attempt.pointer, *violation) for violation in pointers.items()):
                yield f"{problem['code']} points to {pointers}"


def _fits(pointer: str, told: str, code: str) -> bool:
    """A violation of the value itself; of the whole that it made too large; or of what is missing instead of it."""
    inside = told == pointer or told.startswith(pointer + "/")
    around = pointer.startswith(told + "/") and code in ("too_large", "too_long", "too_many")
    return inside or around or code == "required"


async def tried(things: Things, attempts: list[Attempt]) -> list[str]:
    """The faults of all attempts, each with an example."""
    faults: dict[str, list[str]] = {}
    limits = httpx.Limits(max_connections=_AT_ONCE)
    credential = {"Authorization": f"Bearer {things.customer.key('*')['secret']}"}
    waiting = iter(attempts)
    async with httpx.AsyncClient(base_url=things.customer.url, limits=limits, timeout=60) as http:

        async def work() -> None:
            for attempt in waiting:
                headers = {**credential, **attempt.headers}
                raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
                url = httpx.URL(things.customer.url).copy_with(raw_path=attempt.path.encode())
                answer = await http.request(attempt.operation.method, url, headers=raw, content=attempt.content)
                for fault in (*faults_of(attempt.operation, answer), *_misplaced(attempt, answer)):
                    faults.setdefault(f"{attempt.operation} {attempt.where}: {fault}", []).append(attempt.value)

        await asyncio.gather(*(work() for _ in range(_AT_ONCE)))
    return [f"{fault} [{', '.join(values[:4])}{', …' if values[4:] else ''}]" for fault, values in faults.items()]


KINDS: dict[str, Callable[[Things], Iterator[Attempt]]] = {
    "queries": in_queries,
    "paths": in_paths,
    "headers": in_headers,
    "bodies": in_bodies,
    "reports": in_reports,
}


@pytest.mark.parametrize("kind", KINDS)
async def test_no_value_breaks_an_operation(things: Things, kind: str) -> None:
    attempts = list(KINDS[kind](things))
    assert len(Counter(str(attempt.operation) for attempt in attempts)) > 3
    faults = await tried(things, attempts)
    assert not faults, f"{len(faults)} of {len(attempts)} attempts:\n" + "\n".join(sorted(faults))
