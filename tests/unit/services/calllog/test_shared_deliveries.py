"""Which failures of a shared transaction concern all of its deliveries."""

from __future__ import annotations

import pytest

from libs.errors import Aborted, AppError, DeadlineExceeded, InvalidArgument, Unavailable
from services.calllog.servicer.deliveries import is_outage


@pytest.mark.parametrize(
    ("error", "outage"),
    [
        (Unavailable("database_unavailable", "x"), True),
        (Unavailable("storage_full", "x"), True),
        (DeadlineExceeded("deadline_exceeded", "x"), True),
        (Unavailable("database_timeout", "a lock of one conversation"), False),
        (Aborted("concurrent_update", "a deadlock over one conversation"), False),
        (InvalidArgument("validation_failed", "x"), False),
    ],
)
def test_what_one_delivery_waits_for_leaves_the_others_to_be_tried_alone(error: AppError, outage: bool) -> None:
    assert is_outage(error) is outage
