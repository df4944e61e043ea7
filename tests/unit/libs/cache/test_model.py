"""The algorithm as a small model, every interleaving explored: no trusted value misses a commit older than its evidence.

Time is abstract: a moment is the number of commits before it. A value's as-of, a lease and a heartbeat are such
moments. Each broken variant must be found, or the model could not fail.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

WRITES = 2


@dataclass(frozen=True)
class State:
    """Redis: value (version, as_of, generation), lease (reader, as_of, generation), tag, beat, markers. Readers load."""

    commits: int = 0
    pending: frozenset[int] = frozenset()
    value: tuple[int, int, int] | None = None
    lease: tuple[int, int, int] | None = None
    tag: int = 0
    next_tag: int = 1
    beat: int = -1
    markers: frozenset[int] = frozenset()
    readers: tuple[tuple[str, int], ...] = (("idle", 0), ("idle", 0))
    relay: tuple[str, int, frozenset[int]] = ("idle", 0, frozenset())
    flushes: int = 1


def invalidated(state: State, event: int, broken: str) -> State:
    if event in state.markers:
        return state
    lease = state.lease
    if broken == "lease survives":
        lease = None if lease is None else (lease[0], lease[1], 0)
    return replace(state, tag=0, markers=state.markers | {event}, lease=lease)


def reader_steps(state: State, who: int, broken: str) -> Iterator[State]:
    step, version = state.readers[who]

    def now(step: str, version: int, changed: State) -> State:
        readers = list(changed.readers)
        readers[who] = (step, version)
        return replace(changed, readers=tuple(readers))

    hit = state.value is not None and state.tag and state.value[2] == state.tag
    if step == "idle" and not hit and state.lease is None:
        tag = state.tag or state.next_tag
        grown = replace(state, tag=tag, next_tag=max(state.next_tag, tag + 1), lease=(who, state.commits, tag))
        yield now("leased", 0, grown)
    elif step == "leased":
        yield now("loaded", state.commits, state)
    elif step == "loaded":
        lease = state.lease
        if broken == "floors":
            yield now("done", 0, replace(state, value=(version, version, state.tag)) if state.tag else state)
        elif lease is None or lease[0] != who:
            yield now("done", 0, state)
        elif broken == "lease survives":
            value = (version, lease[1], state.tag) if state.tag else state.value
            yield now("done", 0, replace(state, lease=None, value=value))
        else:
            value = (version, lease[1], lease[2]) if lease[2] == state.tag else state.value
            yield now("done", 0, replace(state, lease=None, value=value))
    elif step == "done":
        yield now("idle", 0, state)


def steps(state: State, broken: str) -> Iterator[State]:
    if state.commits < WRITES:
        event = state.commits + 1
        yield replace(state, commits=event, pending=state.pending | {event})
    for event in range(1, state.commits + 1):  # the writer, at any later moment or never
        if event not in state.markers:
            yield invalidated(state, event, broken)
    for who in range(len(state.readers)):
        yield from reader_steps(state, who, broken)
    phase, begun, batch = state.relay
    if phase == "idle":
        yield replace(state, relay=("begun", state.commits, frozenset()))
    elif phase == "begun":
        if broken == "beat first":
            state = replace(state, beat=max(state.beat, begun))
        yield replace(state, relay=("read", begun, state.pending))
    elif batch:
        event = min(batch)
        applied = invalidated(state, event, broken)
        yield replace(applied, pending=state.pending - {event}, relay=("read", begun, batch - {event}))
    else:
        yield replace(state, beat=max(state.beat, begun), relay=("idle", 0, frozenset()))
    if phase != "idle":
        yield replace(state, relay=("idle", 0, frozenset()))  # the leader is killed
    if state.value is not None:
        yield replace(state, value=None)
    if state.lease is not None:
        yield replace(state, lease=None)
    if state.tag:
        yield replace(state, tag=0)
    if state.flushes:
        yield replace(state, value=None, lease=None, tag=0, beat=-1, markers=frozenset(), flushes=state.flushes - 1)


def is_right(state: State) -> bool:
    if state.value is None or not state.tag or state.value[2] != state.tag:
        return True
    version, as_of, _ = state.value
    return version >= max(as_of, state.beat)


def explored(broken: str = "", most: int = 3_000_000) -> tuple[int, State | None]:
    seen, queue = {State()}, deque([State()])
    while queue and len(seen) < most:
        for after in steps(queue.popleft(), broken):
            if not is_right(after):
                return len(seen), after
            if after not in seen and after.next_tag <= 6:
                seen.add(after)
                queue.append(after)
    return len(seen), None


def test_no_interleaving_lets_a_trusted_value_miss_a_commit() -> None:
    states, wrong = explored()
    assert wrong is None
    assert 10_000 < states < 3_000_000


@pytest.mark.parametrize("broken", ["floors", "lease survives", "beat first"])
def test_each_simpler_version_answers_a_stale_value(broken: str) -> None:
    _, wrong = explored(broken)
    assert wrong is not None
