"""The operator's lists go on by cursor to the end of what was asked for."""

from __future__ import annotations

import pytest

from echosenseix.common.v1 import common_pb2
from echosenseix.jobs.v1 import jobs_pb2 as pb
from local.ops.screen import dead_event_row
from local.ops.services import read_list

ROWS = 450


class Pages:
    """Rows as a service pages them: no more than 200 at once."""

    def __init__(self) -> None:
        self.limits: list[int] = []

    async def fetch(self, page: common_pb2.PageRequest) -> tuple[list[int], common_pb2.PageInfo]:
        assert page.cursor_mode
        assert 1 <= page.limit <= 200
        self.limits.append(page.limit)
        begin = int(page.cursor or 0)
        end = min(begin + page.limit, ROWS)
        return list(range(begin, end)), common_pb2.PageInfo(next_cursor=str(end) if end < ROWS else "")


@pytest.mark.parametrize(
    ("limit", "asked"), [(0, []), (50, [50]), (200, [200]), (250, [200, 50]), (450, [200, 200, 50]), (999, [200] * 3)]
)
async def test_a_list_of_any_size_is_read_page_by_page(limit: int, asked: list[int]) -> None:
    pages = Pages()
    assert await read_list(pages.fetch, limit) == list(range(min(limit, ROWS)))
    assert pages.limits == asked


def test_an_error_of_many_lines_stays_one_of_a_terminal_s_width() -> None:
    error = pb.JobError(code="unexpected_error", message="CheckViolationError: no\nDETAIL:  " + "x" * 200)
    shown = dead_event_row(pb.DeadEvent(error=error))["error"]
    assert shown.startswith("unexpected_error: CheckViolationError: no DETAIL: xx")
    assert len(shown) == 160
