"""Permits taken ahead as a small model, every interleaving explored: no window holds more uses than the limit.

Two processes take permits, use them until their lease ends, give the rest back or die with them. The log is Redis's, as
libs.ratelimit.scripts keeps it: a single permit is counted when it is taken, several at the end of their lease. Each
broken variant must be found, or the model could not fail.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

WINDOW = 4
LEASE = 2
HORIZON = 8


@dataclass(frozen=True)
class Held:
    """What a process has: permits, until when, and at which time Redis counts them."""

    permits: int = 0
    ends: int = 0
    counted: int = 0


@dataclass(frozen=True)
class State:
    now: int = 0
    log: tuple[int, ...] = ()
    uses: tuple[int, ...] = ()
    held: tuple[Held, Held] = (Held(), Held())


def taken(state: State, who: int, wanted: int, most: int, broken: str) -> State | None:
    """TAKE, and the use of the first permit; None for a refusal."""
    log = tuple(at for at in state.log if at > state.now - WINDOW)
    room = most - len(log)
    if room < 1:
        return None
    granted = min(wanted, room)
    counted = state.now if granted == 1 or broken == "counted when taken" else state.now + LEASE
    ends = state.now + (LEASE if broken != "kept longer" else 2 * LEASE)
    held = list(state.held)
    held[who] = Held(granted - 1, ends, counted)
    log = tuple(sorted((*log, *(counted,) * granted)))
    return replace(state, log=log, uses=(*state.uses, state.now), held=(held[0], held[1]))


def left(state: State, who: int, unused: int) -> State:
    """A process whose lease is over: GIVE_BACK_PERMITS takes `unused` out of the log."""
    log, held = list(state.log), list(state.held)
    for _ in range(unused):
        if held[who].counted in log:
            log.remove(held[who].counted)
    held[who] = Held()
    return replace(state, log=tuple(log), held=(held[0], held[1]))


def steps(state: State, most: int, broken: str) -> Iterator[State]:
    if state.now < HORIZON:
        now = state.now + 1
        yield replace(state, now=now, uses=tuple(at for at in state.uses if at > now - WINDOW))
    for who, mine in enumerate(state.held):
        if mine.permits and state.now < mine.ends:
            held = list(state.held)
            held[who] = replace(mine, permits=mine.permits - 1)
            yield replace(state, uses=(*state.uses, state.now), held=(held[0], held[1]))
        if mine.permits:
            # Its end, early at a drain: given back, or lost on the way and counted until the window ends.
            yield left(state, who, mine.permits)
            yield left(state, who, 0)
            if broken == "gives used ones back":
                yield left(state, who, mine.permits + 1)
        else:
            for wanted in (1, 3):
                after = taken(state, who, wanted, most, broken)
                if after is not None:
                    yield after


def is_safe(most: int, broken: str) -> bool:
    """Whether no reachable state has more uses in a window than the limit."""
    first = State()
    seen, left_to_see = {first}, deque([first])
    while left_to_see:
        state = left_to_see.popleft()
        if len(state.uses) > most:
            return False
        for after in steps(state, most, broken):
            if after not in seen:
                seen.add(after)
                left_to_see.append(after)
    return True


@pytest.mark.parametrize("most", [1, 2, 3])
def test_no_window_holds_more_uses_than_the_limit(most: int) -> None:
    assert is_safe(most, "")


@pytest.mark.parametrize("broken", ["counted when taken", "kept longer", "gives used ones back"])
def test_the_model_finds_each_broken_variant(broken: str) -> None:
    assert not is_safe(3, broken)
