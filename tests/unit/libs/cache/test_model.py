"""The algorithm as a small model, every interleaving explored: a trusted value misses no commit before its evidence.

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
    """Redis: value (version, as_of, generation), lease (reader, as_of, generation), tag, beat, markers; two readers."""

    commits: int = 0
    pending: frozenset[int] = frozenset()
    value: tuple[int, int, int] | None = None
    lease: tuple[int, int, int] | None = None
    tag: int = 0
    beat: int = -1
    markers: frozenset[int] = frozenset()
    readers: tuple[tuple[str, int], ...] = (("idle", 0), ("idle", 0))
    relay: tuple[str, int, frozenset[int]] = ("idle", 0, frozenset())
    flushes: int = 1


def fresh(state: State) -> int:
    """A generation that nothing refers to: random in Redis, so never one that was there before."""
    used = {state.tag, state.value[2] if state.value else 0, state.lease[2] if state.lease else 0}
    return next(number for number in range(1, 5) if number not in used)


def canonical(state: State) -> State:
    """The same state with generations numbered by first use and the readers in one order."""
    if state.readers[0] > state.readers[1]:
        lease = state.lease and (1 - state.lease[0], *state.lease[1:])
        state = replace(state, readers=(state.readers[1], state.readers[0]), lease=lease)
    names = {0: 0}
    for used in (state.tag, state.value[2] if state.value else 0, state.lease[2] if state.lease else 0):
        names.setdefault(used, len(names))
    return replace(
        state,
        tag=names[state.tag],
        value=state.value and (state.value[0], state.value[1], names[state.value[2]]),
        lease=state.lease and (state.lease[0], state.lease[1], names[state.lease[2]]),
    )


def invalidated(state: State, event: int) -> State:
    if event in state.markers:
        return state
    return replace(state, tag=0, markers=state.markers | {event})


def reader_steps(state: State, who: int, broken: str) -> Iterator[State]:
    step, version = state.readers[who]

    def now(step: str, version: int, changed: State) -> State:
        readers = list(changed.readers)
        readers[who] = (step, version)
        return replace(changed, readers=tuple(readers))

    hit = state.value is not None and state.tag and state.value[2] == state.tag
    if step == "idle" and not hit and state.lease is None:
        tag = state.tag or fresh(state)
        grown = replace(state, tag=tag, lease=(who, state.commits, tag))
        yield now("leased", 0, grown)
    elif step == "leased":
        yield now("loaded", state.commits, state)
        if state.lease is not None and state.lease[0] == who:
            yield now("done", 0, replace(state, lease=None))  # the load fails and gives its lease back
    elif step == "loaded":
        lease = state.lease
        if broken == "floors":
            yield now("done", 0, replace(state, value=(version, version, state.tag)) if state.tag else state)
        elif lease is None or lease[0] != who:
            yield now("done", 0, state)
        elif broken == "fill compares nothing":
            tag = state.tag or fresh(state)
            yield now("done", 0, replace(state, lease=None, tag=tag, value=(version, lease[1], tag)))
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
            yield invalidated(state, event)
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
        applied = invalidated(state, event)
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
        yield replace(state, tag=0)  # evicted, or its life is over, however short that is
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
            after = canonical(after)
            if after not in seen:
                seen.add(after)
                queue.append(after)
    return len(seen), None


def test_no_interleaving_lets_a_trusted_value_miss_a_commit() -> None:
    states, wrong = explored()
    assert wrong is None
    assert 10_000 < states < 3_000_000


@pytest.mark.parametrize("broken", ["floors", "fill compares nothing", "beat first"])
def test_each_simpler_version_answers_a_stale_value(broken: str) -> None:
    _, wrong = explored(broken)
    assert wrong is not None
