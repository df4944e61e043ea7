"""The stream recovery rule: everything missed, or nothing."""

import pytest

from services.realtime.domain.history import RECOVERY_LIMIT, History, Published, recover


def history(top: int, first: int = 0, last: int = 0) -> History:
    return History("e", top, tuple(Published(n, b"{}") for n in range(first, last + 1)) if first else ())


@pytest.mark.parametrize(
    ("log", "epoch", "offset", "recovered", "missed"),
    [
        (history(5), "e", 5, True, 0),
        (history(5, 3, 5), "e", 2, True, 3),
        (history(5, 3, 5), "", 2, True, 3),
        (history(5, 3, 5), "other", 2, False, 0),
        (history(5), "other", 5, False, 0),
        (history(9, 5, 9), "e", 2, False, 0),
        (history(9, 3, 7), "e", 2, False, 0),
        (history(5), "e", 9, False, 0),
        (history(5), "e", 2, False, 0),
        (history(400, 1, RECOVERY_LIMIT + 1), "e", 0, False, 0),
        (history(RECOVERY_LIMIT, 1, RECOVERY_LIMIT), "e", 0, True, RECOVERY_LIMIT),
    ],
)
def test_recover(log: History, epoch: str, offset: int, recovered: bool, missed: int) -> None:
    verdict = recover(log, epoch=epoch, offset=offset)
    assert (verdict.recovered, len(verdict.publications)) == (recovered, missed)
    assert verdict.offset == (offset if recovered else log.top)
