"""Tags: trimmed, distinct, bounded."""

from __future__ import annotations

import pytest

from libs.errors import InvalidArgument
from services.calllog.domain.tags import MAX_LENGTH, MAX_TAGS, checked_tags


def test_trimmed_and_distinct_in_order() -> None:
    assert checked_tags([" vip ", "late", "vip", "nul\x00"]) == ("vip", "late", "nul\ufffd")
    assert checked_tags([]) == ()


@pytest.mark.parametrize("tags", [[""], ["  "], ["x" * (MAX_LENGTH + 1)], [str(i) for i in range(MAX_TAGS + 1)]])
def test_refused(tags: list[str]) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        checked_tags(tags)
    assert refusal.value.violations
