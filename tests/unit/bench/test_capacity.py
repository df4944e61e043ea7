"""The capacity model follows its inputs: more users never need less, and each cost shows where it is paid."""

from __future__ import annotations

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from bench.capacity import Costs, Use, main, need, phase_of, table

USERS = st.integers(1, 1_000_000)


@given(USERS, USERS)
def test_more_users_never_need_less(few: int, many: int) -> None:
    small, large = (need(users, Use(), Costs()) for users in sorted((few, many)))
    for field in dataclasses.fields(small):
        if field.name != "phase":
            assert getattr(small, field.name) <= getattr(large, field.name), field.name


def test_a_dearer_request_needs_more_cores_and_a_better_cache_fewer() -> None:
    usual = need(10_000, Use(), Costs())
    assert need(10_000, Use(), Costs(request_app=26_000)).app_cores > usual.app_cores
    assert need(10_000, Use(cached_share=0.95), Costs()).database_cores < usual.database_cores
    assert need(10_000, Use(calls_per_hour=60), Costs()).storage_gib_month > usual.storage_gib_month


def test_the_phases_are_the_papers() -> None:
    assert [phase_of(users)[0][0] for users in (100, 101, 1_000, 1_001, 10_000, 10_001)] == list("122334")


def test_one_instance_carries_the_papers_single_instance() -> None:
    single = need(200, Use(), Costs())
    assert single.app_cores <= 2.0


def test_the_table_has_a_line_and_a_phase_for_each_number_of_users(capsys: object) -> None:
    text = table([need(users, Use(), Costs()) for users in (100, 1_000)])
    assert text.count("phase") == 2
    assert main(["--users", "100", "--request-app", "5000"]) == 0
