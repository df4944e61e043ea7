"""Recovery codes are hard to guess and easy to read."""

from __future__ import annotations

import math

from services.identity.domain.second_factor import _ALPHABET, new_recovery_codes, recovery_hash


def test_a_recovery_code_has_79_bits_of_letters_that_are_equally_likely() -> None:
    assert len(set(_ALPHABET)) == len(_ALPHABET) == 31
    for code in new_recovery_codes():
        assert [len(group) for group in code.split("-")] == [4, 4, 4, 4]
        letters = code.replace("-", "")
        assert set(letters) <= set(_ALPHABET)
        assert int(len(letters) * math.log2(len(_ALPHABET))) == 79


def test_a_recovery_code_is_known_however_it_is_typed() -> None:
    code = new_recovery_codes()[0]
    assert recovery_hash(f" {code.upper().replace('-', ' ')} ") == recovery_hash(code)
