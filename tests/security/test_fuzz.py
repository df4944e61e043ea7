"""Random requests to every route of the document: whatever they are, no answer is a 5xx of ours.

Seeded: a failure names the seed of its request. `FUZZ_REQUESTS` sets how many; `make security` sends 20,000.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from local.runner.suite import Suite

ROOT = Path(__file__).resolve().parents[2]
REQUESTS = int(os.environ.get("FUZZ_REQUESTS", "2000"))
SIDE_BY_SIDE = 8
# What a service says while one of its parts is busy or away; anything else above 499 is a fault of ours.
BUSY = (503,)
# What a busy machine leaves unanswered is asked again, and its second answer counts.
LATE = 504
TEXTS = (
    "", " ", "\x00", "a" * 300, "e\u0301", "\ud83d", "\u202eabc", "1e999", "-1", "0", "null", "true", "[]", "{}", "%00",
    "../../etc/passwd", "' or 1=1 --", "<script>", "${jndi:x}", "2026-13-45T99:99:99Z", "agt_" + "0" * 26, "\u0663",
    "9" * 40, "\r\nX: y",
)  # fmt: skip
MEDIA_TYPES = (
    "application/json", "application/merge-patch+json", "multipart/form-data; boundary=x", "text/plain", ";",
)  # fmt: skip
NUMBERS = (0, -1, 1, 2**31, 2**63, -(2**63) - 1, 1e308, -0.0, 0.1, 10**30)


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    document = json.loads((ROOT / "gateway" / "openapi.json").read_text(encoding="utf-8"))
    return [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        # An operation with servers of its own is another process's.
        if "servers" not in operation
        # A logout or a revoked key would end the run's own session.
        and path not in ("/api/logout",)
    ]


def value(chance: random.Random, depth: int = 0) -> Any:
    kind = chance.randrange(8 if depth < 4 else 5)
    if kind < 2:
        return chance.choice(TEXTS)
    if kind == 2:
        return chance.choice(NUMBERS)
    if kind == 3:
        return chance.choice((None, True, False))
    if kind == 4:
        return "".join(chr(chance.randrange(1, 0xD7FF)) for _ in range(chance.randrange(12)))
    if kind == 5:
        return [value(chance, depth + 1) for _ in range(chance.randrange(4))]
    return {str(chance.choice(TEXTS)): value(chance, depth + 1) for _ in range(chance.randrange(4))}


def body_of(chance: random.Random, operation: dict[str, Any]) -> bytes | None:
    """Often the operation's own example with one field replaced, sometimes not even JSON."""
    if "requestBody" not in operation:
        return None if chance.random() < 0.9 else b"{}"
    content = next(iter(operation["requestBody"]["content"].values()))
    shape = content.get("example") or {}
    kind = chance.randrange(6)
    if kind == 0:
        return bytes(chance.randrange(256) for _ in range(chance.randrange(200)))
    if kind == 1:
        return (b"[" * chance.randrange(1, 3_000)) + b"1"
    if kind == 2 or not isinstance(shape, dict) or not shape:
        return json.dumps(value(chance)).encode("utf-8", "surrogatepass")
    changed = json.loads(json.dumps(shape))
    for _ in range(chance.randrange(1, 3)):
        changed[chance.choice(list(changed))] = value(chance)
    return json.dumps(changed).encode("utf-8", "surrogatepass")


def requests(base: str, key: str) -> Iterator[tuple[int, httpx.Request]]:
    known = operations()
    for seed in range(REQUESTS):
        chance = random.Random(seed)
        method, path, operation = known[seed % len(known)]
        # Percent-encoded bytes, which need not be UTF-8.
        parts = [
            quote(chance.choice(TEXTS).encode("utf-8", "surrogatepass"), safe="") or "x"
            if part.startswith("{")
            else part
            for part in path.split("/")
        ]
        named = [each["name"] for each in operation.get("parameters", []) if each.get("in") == "query"]
        query = {
            name: str(value(chance, 4)).encode("utf-8", "replace").decode() for name in named if chance.random() < 0.4
        }
        headers = {"authorization": f"Bearer {key}"} if chance.random() < 0.9 else {}
        if chance.random() < 0.7:
            headers["content-type"] = chance.choice(
                [
                    "application/json",
                    "application/merge-patch+json",
                    "multipart/form-data; boundary=x",
                    "text/plain",
                    ";",
                ]
            )
        if chance.random() < 0.2:
            headers["idempotency-key"] = chance.choice(["", "k", "k" * 300, "k1", "é".encode().decode("latin-1")])
        if chance.random() < 0.2:
            headers["if-match"] = chance.choice(["*", '"1"', 'W/"x"', "nonsense", '"' * 200])
        content = body_of(chance, operation)
        yield (
            seed,
            httpx.Request(
                method, base + "/".join(parts), params=query, content=content,
                headers=[(name.encode(), text.encode("latin-1")) for name, text in headers.items()],
            ),
        )  # fmt: skip


async def test_no_random_request_is_answered_by_a_fault_of_ours(suite: Suite) -> None:
    statuses: Counter[int] = Counter()
    faults: list[tuple[int, str, str, int, str]] = []
    late: list[int] = []
    queue = requests(suite.url, suite.api_key)

    async def work(client: httpx.AsyncClient) -> None:
        for seed, request in queue:
            answer = await client.send(request)
            if answer.status_code == LATE:
                late.append(seed)
                answer = await client.send(request)
            statuses[answer.status_code] += 1
            if answer.status_code >= 500 and answer.status_code not in (*BUSY, 501):
                faults.append((seed, request.method, request.url.path, answer.status_code, answer.text[:200]))

    async with httpx.AsyncClient(timeout=60) as client:
        await asyncio.gather(*(work(client) for _ in range(SIDE_BY_SIDE)))
    assert faults == [], statuses
    assert sum(statuses.values()) == REQUESTS
    assert statuses[503] <= REQUESTS // 100, statuses
    assert len(late) <= REQUESTS // 1_000, late
    assert sum(count for status, count in statuses.items() if 400 <= status < 500) > REQUESTS // 2
