"""Defaults of the bodies of accounts."""

import msgspec
import pytest

from gateway.schemas.accounts import RotateBody


@pytest.mark.parametrize(("body", "seconds"), [(b"{}", 86_400), (b'{"overlapSeconds": 0}', 0)])
def test_the_old_secret_of_a_rotated_key_works_a_day_unless_told_otherwise(body: bytes, seconds: int) -> None:
    assert msgspec.json.decode(body, type=RotateBody).overlap_seconds == seconds
