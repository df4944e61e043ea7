from libs.http.connection_limits import ConnectionLimits


def test_an_address_and_the_whole_are_limited_and_what_leaves_makes_room() -> None:
    limits = ConnectionLimits(total=3, per_address=2)
    assert [limits.take("a"), limits.take("a"), limits.take("a")] == [True, True, False]
    assert [limits.take("b"), limits.take("c")] == [True, False]
    limits.release("a")
    assert limits.take("c")
    assert limits.open == 3


def test_zero_is_no_limit() -> None:
    limits = ConnectionLimits(total=0, per_address=0)
    assert all(limits.take("a") for _ in range(5_000))


def test_an_address_that_left_is_forgotten() -> None:
    limits = ConnectionLimits()
    for number in range(100):
        limits.take(str(number))
        limits.release(str(number))
    assert limits.open == 0
    assert not limits._open
