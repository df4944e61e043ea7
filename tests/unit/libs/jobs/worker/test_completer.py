"""Batches of endings: bounded by number and by the bytes of their results."""

import datetime
import uuid

import pytest

from libs.jobs.job import Job
from libs.jobs.worker.completer import BATCH, BATCH_BYTES, batch

NOW = datetime.datetime.now(datetime.UTC)
JOB = Job("job_x_1", "q", "k", "org_a", {}, 1, 1, 3, 0, NOW, 0.0, None, "w", uuid.uuid4())


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([0] * (BATCH + 1), BATCH),
        ([10, 10], 2),
        ([BATCH_BYTES, 1, 1], 1),
        ([BATCH_BYTES // 2, BATCH_BYTES // 2, 1], 2),
        ([BATCH_BYTES * 2, 0], 1),
        ([], 0),
    ],
)
def test_a_batch_is_bounded_yet_never_empty(sizes: list[int], expected: int) -> None:
    done = [(JOB, "x" * size or None) for size in sizes]
    assert len(batch(done)) == expected
