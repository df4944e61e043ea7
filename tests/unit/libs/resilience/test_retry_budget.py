from libs.resilience import RetryBudget


def test_a_burst_ends_and_requests_earn_one_retry_in_ten() -> None:
    budget = RetryBudget()
    assert sum(budget.spend() for _ in range(100)) == 20
    for _ in range(11):
        budget.earn()
    assert [budget.spend(), budget.spend()] == [True, False]


def test_idle_times_save_no_more_than_the_store() -> None:
    budget = RetryBudget()
    for _ in range(1_000):
        budget.earn()
    assert sum(budget.spend() for _ in range(100)) == 20
