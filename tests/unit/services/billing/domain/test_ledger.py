"""The ledger's arithmetic: legs balance, and any order of the same postings ends at the same sum."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from services.billing.domain.credit import credit_topics
from services.billing.domain.ledger import CUSTOMER, EntryType, Posting, legs_of

postings = st.lists(
    st.builds(
        Posting, st.sampled_from(list(EntryType)), st.integers(-(10**12), 10**12), st.just("USD"), st.text(max_size=5),
        st.just(""),
    ),
    max_size=20,
)  # fmt: skip


def post(batch: list[Posting]) -> tuple[int, list[tuple[str, int]]]:
    numbers, balance, legs = itertools.count(), 0, []
    for posting in batch:
        balance += posting.amount_micros
        pair = legs_of(posting, balance, lambda prefix: f"{prefix}_{next(numbers)}")
        assert sum(leg.amount_micros for leg in pair) == 0
        assert [leg.account == CUSTOMER for leg in pair] == [True, False]
        assert [leg.balance_after_micros for leg in pair] == [balance, None]
        assert len({leg.transaction_id for leg in pair}) == 1
        legs += [(leg.account, leg.amount_micros) for leg in pair]
    return balance, legs


@given(postings.flatmap(lambda batch: st.tuples(st.just(batch), st.permutations(batch))))
def test_any_order_has_the_same_sum(batches: tuple[list[Posting], list[Posting]]) -> None:
    (one, legs), (other, others) = post(batches[0]), post(batches[1])
    assert one == other == sum(amount for account, amount in legs if account == CUSTOMER)
    assert sum(amount for _, amount in legs) == 0
    assert sorted(legs) == sorted(others)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=30))
def test_each_threshold_is_told_once_on_the_way_down(spends: list[int]) -> None:
    balance, told = 100, []
    for spend in spends:
        told += credit_topics(balance, balance - spend, 20)
        balance -= spend
    assert told.count("credit.low") == (balance < 20)
    assert told.count("credit.depleted") == (balance <= 0)
