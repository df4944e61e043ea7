"""argon2id with the parameters that were promised, off the loop, bounded."""

from __future__ import annotations

import asyncio
import time

from libs.errors import Unavailable
from services.identity import passwords as room
from services.identity.passwords import Passwords


async def test_hashes_carry_the_promised_parameters() -> None:
    passwords = await Passwords.open(1)
    stored = await passwords.hash("correct horse")
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await passwords.matches(stored, "correct horse")
    assert not await passwords.matches(stored, "wrong horse")
    await passwords.close()


async def test_no_one_has_a_password_and_it_takes_as_long() -> None:
    passwords = await Passwords.open(1)
    stored = await passwords.hash("correct horse")
    spent: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(7):
        for known in (True, False):
            started = time.process_time()
            assert not await passwords.matches(stored if known else None, "no one has this password")
            spent[known].append(time.process_time() - started)
    assert min(spent[False]) > min(spent[True]) / 2
    await passwords.close()


async def test_a_flood_is_refused_and_the_loop_stays_free() -> None:
    passwords = await Passwords.open(1)
    flood = [asyncio.ensure_future(passwords.hash("correct horse")) for _ in range(room.QUEUE_MAX + 5)]
    worst, last = 0.0, time.perf_counter()
    while not flood[0].done():
        await asyncio.sleep(0)
        worst, last = max(worst, time.perf_counter() - last), time.perf_counter()
    await passwords.close()
    ends = await asyncio.gather(*flood, return_exceptions=True)
    refused = [end for end in ends if isinstance(end, Unavailable)]
    assert len(refused) == 5
    assert refused[0].retry_after == 1.0
    assert worst < 0.5


async def test_a_damaged_hash_fits_nothing() -> None:
    passwords = await Passwords.open(1)
    assert not await passwords.matches("nonsense", "x")
    await passwords.close()


async def test_registrations_do_not_hold_up_those_who_sign_in() -> None:
    passwords = await Passwords.open(1)
    stored = await passwords.hash("correct horse")
    flood = [asyncio.ensure_future(passwords.hash(f"correct horse {number}")) for number in range(room.QUEUE_MAX)]
    await asyncio.sleep(0)
    assert await passwords.matches(stored, "correct horse")
    assert sum(one.done() for one in flood) < room.QUEUE_MAX / 2
    await passwords.close()
    await asyncio.gather(*flood, return_exceptions=True)


async def test_a_password_is_the_same_however_its_accents_are_typed() -> None:
    passwords = await Passwords.open(1)
    stored = await passwords.hash("cafe\u0301 \u2168")
    assert await passwords.matches(stored, "caf\u00e9 IX")
    assert not await passwords.matches(stored, "cafe IX")
    await passwords.close()
