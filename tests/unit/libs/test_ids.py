import threading
import time
import uuid

import pytest

from libs import ids


def test_ids_sort_by_birth() -> None:
    made = [ids.new_id("agt") for _ in range(5_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_id_is_a_uuid7_of_now_in_crockford_base32() -> None:
    before = time.time_ns() // 1_000_000
    text = ids.new_id("agt").removeprefix("agt_")
    number = 0
    for letter in text:
        number = number * 32 + "0123456789abcdefghjkmnpqrstvwxyz".index(letter)
    value = uuid.UUID(int=number)
    assert len(text) == 26
    assert value.version == 7
    assert value.variant == uuid.RFC_4122
    assert before <= number >> 80 <= time.time_ns() // 1_000_000 + 1


def test_ids_keep_growing_when_the_clock_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    first = ids.new_uuid7()
    monkeypatch.setattr(time, "time_ns", lambda: 1_000_000_000)
    assert ids.new_uuid7() > first


def test_a_full_millisecond_borrows_from_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 1_000_000_000)
    last = ids.new_uuid7()
    monkeypatch.setattr(ids, "_last_tail", (1 << 74) - 1)
    assert ids.new_uuid7() > last


def test_threads_never_share_an_id() -> None:
    made: list[str] = []
    threads = [threading.Thread(target=lambda: made.extend(ids.new_id("x") for _ in range(500))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 2_000


def test_job_ids_name_their_owner() -> None:
    assert ids.job_owner(ids.new_job_id("knowledge")) == "knowledge"
    for text in ("", "job_", "job_agent", ids.new_id("job"), "job_Agent_" + "0" * 26, "agt_agent_" + "0" * 26):
        assert ids.job_owner(text) is None


def test_ids_of_dead_events_name_their_service_and_sort_as_their_numbers() -> None:
    numbers = [ids.new_uuid7() for _ in range(100)] + [uuid.UUID(int=0), uuid.UUID(int=(1 << 128) - 1)]
    named = {number: ids.dead_event_id("billing", number) for number in numbers}
    assert {ids.read_dead_event_id(text) for text in named.values()} == {("billing", number) for number in numbers}
    assert sorted(named.values()) == [named[number] for number in sorted(numbers)]
    for text in ("", "dead_billing_", "dead_" + "0" * 26, "job_billing_" + "0" * 26, "dead_billing_8" + "0" * 25):
        assert ids.read_dead_event_id(text) is None


@pytest.mark.parametrize(
    ("text", "prefix", "expected"),
    [
        ("agt_01m84nrx0tea8vdkkwvmw5g1w0", "agt", True),
        ("agt_01M84NRX0TEA8VDKKWVMW5G1W0", "agt", False),
        ("key_01m84nrx0tea8vdkkwvmw5g1w0", "agt", False),
        ("agt_81m84nrx0tea8vdkkwvmw5g1w0", "agt", False),  # beyond 128 bits
        ("agt_01m84nrx0tea8vdkkwvmw5g1wu", "agt", False),
        ("agt_01m84nrx0tea8vdkkwvmw5g1w0\n", "agt", False),
        ("01m84nrx0tea8vdkkwvmw5g1w0", "agt", False),
        ("", "agt", False),
    ],
)
def test_is_id_judges_the_form(text: str, prefix: str, expected: bool) -> None:
    assert ids.is_id(text, prefix) is expected
