"""The algorithm as a small model, every interleaving explored: a trusted value misses no commit before its evidence.

Time is abstract: a moment is the number of commits before it. A value's as-of, a lease and a heartbeat are such
moments. Each broken variant must be found, or the model could not fail.
"""

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import pytest

WRITES = 2


class State(NamedTuple):
    """Redis: value (version, as_of, generation), lease (reader, as_of, generation), tag and the (generation, event)
    that it was made of, beat, markers; readers; a writer that stores its answer: (step, noted generation, as_of,
    event)."""

    commits: int = 0
    pending: frozenset[int] = frozenset()
    value: tuple[int, int, int] | None = None
    lease: tuple[int, int, int] | None = None
    tag: int = 0
    made_of: tuple[int, int] | None = None
    beat: int = -1
    markers: frozenset[int] = frozenset()
    readers: tuple[tuple[str, int], ...] = (("idle", 0), ("idle", 0))
    writer: tuple[str, int, int, int] = ("done", 0, 0, 0)
    relay: tuple[str, int, frozenset[int]] = ("idle", 0, frozenset())
    flushes: int = 1


NOTHING = State()
replace = State._replace


def fresh(state: State) -> int:
    """A generation that nothing refers to: random in Redis, so never one that was there before."""
    return next(number for number in range(1, 7) if number not in generations(state))


def generations(state: State) -> tuple[int, ...]:
    """Those that something refers to."""
    made_of = state.made_of[0] if state.made_of else 0
    return (
        state.tag, state.value[2] if state.value else 0, state.lease[2] if state.lease else 0, state.writer[1], made_of
    )  # fmt: skip


def canonical(state: State) -> State:
    """The same state with generations numbered by first use and the readers in one order."""
    if state.made_of and (not state.tag or state.made_of != (state.writer[1], state.writer[3])):
        state = replace(state, made_of=None)  # no one can ask for it any more
    if state.tag and not state.made_of and state.tag not in generations(state)[1:]:
        state = replace(state, tag=0)  # nothing refers to it: the next lease would make another like it
    if len(state.readers) > 1 and state.readers[0] > state.readers[1]:
        lease = state.lease and (1 - state.lease[0], *state.lease[1:])
        state = replace(state, readers=(state.readers[1], state.readers[0]), lease=lease)
    names = {0: 0}
    for used in generations(state):
        names.setdefault(used, len(names))
    return replace(
        state,
        tag=names[state.tag],
        value=state.value and (state.value[0], state.value[1], names[state.value[2]]),
        lease=state.lease and (state.lease[0], state.lease[1], names[state.lease[2]]),
        made_of=state.made_of and (names[state.made_of[0]], state.made_of[1]),
        writer=(state.writer[0], names[state.writer[1]], *state.writer[2:]),
    )


def invalidated(state: State, event: int) -> State:
    if event in state.markers:
        return state
    if not state.tag:
        return replace(state, markers=state.markers | {event})
    return replace(state, tag=fresh(state), made_of=(state.tag, event), markers=state.markers | {event})


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


def writer_steps(state: State, broken: str) -> Iterator[State]:
    """It notes, commits, and stores its answer; its invalidation comes from `steps`, at any moment after the commit.
    It may die between any two of these."""
    step, noted, as_of, event = state.writer
    if step == "idle" and broken == "write-through notes after its commit" and state.commits < WRITES:
        event = state.commits + 1
        state = replace(state, commits=event, pending=state.pending | {event})
        yield replace(state, writer=("written", 0, 0, event))
    elif step == "idle" or step == "written":
        tag = state.tag or fresh(state)
        made_of = state.made_of if state.tag else None
        step = "noted" if step == "idle" else "committed"
        yield replace(state, tag=tag, made_of=made_of, writer=(step, tag, state.commits, event))
    elif step == "noted" and state.commits < WRITES:
        event = state.commits + 1
        yield replace(state, commits=event, pending=state.pending | {event}, writer=("committed", noted, as_of, event))
    elif step == "committed":
        done = replace(state, writer=("done", 0, 0, 0))
        own = state.tag and (state.tag == noted or state.made_of == (noted, event))
        newer = state.value is not None and state.value[2] == state.tag and state.value[0] >= event
        if (own or (state.tag and broken == "write-through compares nothing")) and not newer:
            yield replace(done, value=(event, as_of, state.tag))
        else:
            yield done


def steps(state: State, broken: str) -> Iterator[State]:
    if state.commits < WRITES:
        event = state.commits + 1
        yield replace(state, commits=event, pending=state.pending | {event})
    for event in range(1, state.commits + 1):  # the writer, at any later moment or never
        if event not in state.markers:
            yield invalidated(state, event)
    for who in range(len(state.readers)):
        yield from reader_steps(state, who, broken)
    yield from writer_steps(state, broken)
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
        yield replace(state, tag=0, made_of=None)  # evicted, or its life is over, however short that is
    if state.flushes:
        lost = replace(state, value=None, lease=None, tag=0, made_of=None, beat=-1, markers=frozenset())
        yield replace(lost, flushes=state.flushes - 1)


def is_right(state: State) -> bool:
    if state.value is None or not state.tag or state.value[2] != state.tag:
        return True
    version, as_of, _ = state.value
    return version >= max(as_of, state.beat)


def explored(broken: str = "", begin: State = NOTHING, most: int = 3_000_000) -> tuple[int, State | None]:
    seen, queue = {begin}, deque([begin])
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


# One reader beside it and no flush, whose parts are evictions: they multiply the states and add no step.
WRITE_THROUGH = State(readers=(("idle", 0),), writer=("idle", 0, 0, 0), flushes=0)


def test_no_interleaving_with_a_write_that_stores_its_answer_does_either() -> None:
    states, wrong = explored(begin=WRITE_THROUGH)
    assert wrong is None
    assert 10_000 < states < 3_000_000


@pytest.mark.parametrize("broken", ["write-through notes after its commit", "write-through compares nothing"])
def test_each_simpler_write_through_answers_a_stale_value(broken: str) -> None:
    _, wrong = explored(broken, WRITE_THROUGH)
    assert wrong is not None


@pytest.mark.parametrize("broken", ["floors", "fill compares nothing", "beat first"])
def test_each_simpler_version_answers_a_stale_value(broken: str) -> None:
    _, wrong = explored(broken)
    assert wrong is not None
