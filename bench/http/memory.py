"""`make bench-memory`: what an answer from the first level costs, in µs of CPU. Needs no suite.

`get` is the table alone. `begin` is all that a hit asks of a cache: the entry, whether a tag of it was replaced, its
figures, the sampling of shadow reads. `repeats` is what the repetition of a read asks. 10,000 entries, each asked for
in turn, so that no line of the processor's cache holds them all; messages over NATS have replaced other tags meanwhile.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable

from libs.cache.classes import AGENT
from libs.cache.memory import Memory
from libs.cache.process import Caches
from libs.cache.tiered import Cache
from libs.cache.values import Answer, Codec, Entry, Loaded, Place, Source

ENTRIES = 10_000
ROUNDS = 20
# µs of CPU for a get, at most.
GOAL = 1.0
# Redis is not there: the memory alone answers, and its values live for the bound of the class.
_AWAY = "redis://127.0.0.1:1"


def micros(ask: Callable[[int], object]) -> float:
    """CPU µs of one call, the least of the rounds: what disturbs a round is not its own."""
    rounds = []
    for _ in range(ROUNDS):
        before = time.process_time()
        for number in range(ENTRIES):
            ask(number)
        rounds.append((time.process_time() - before) / ENTRIES * 1e6)
    return min(rounds)


def table() -> float:
    memory: Memory[int, bytes] = Memory("bench", max_entries=ENTRIES)
    for number in range(ENTRIES):
        memory.put(number, b"value", ttl_seconds=600.0)
    return micros(memory.get)


async def load() -> Loaded[bytes]:
    return Loaded(b"value", 1)


async def cache() -> dict[str, float]:
    caches = Caches(_AWAY)
    opened: Cache[bytes] = caches.open(AGENT, Codec(bytes, bytes, len))
    places = [Place(f"org_1:{number}", AGENT.tags("org_1", str(number)), "org_1") for number in range(ENTRIES)]
    now = time.monotonic()
    entry = Entry(b"value", 1, now, now, now + 600.0, now + 600.0)
    for place in places:
        opened._memory.put(place.key, entry, 600.0)
    caches.tombstones.note(f"agent:org_2:{number}" for number in range(ENTRIES))
    found = opened.begin(places[0], load)
    if not isinstance(found, Answer) or found.source is not Source.HIT:
        raise SystemExit("the first level does not answer")
    used = {
        "begin": micros(lambda number: opened.begin(places[number], load)),
        "repeats": micros(lambda number: opened.repeats(places[number], entry)),
    }
    await caches.close()
    return used


def main() -> int:
    used = {"get": table(), **asyncio.run(cache())}
    for name, cost in used.items():
        print(f"{name:8} {cost:6.2f} µs CPU")
    print(f"bench-memory: get {used['get']:.2f} µs, goal {GOAL:g}")
    return 0 if used["get"] <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
