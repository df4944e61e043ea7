"""Places are bounded, and shared by those who ask: the largest holder is refused first."""

from libs.resilience import Lane


def lane_of(places: int) -> Lane:
    return Lane("tests", lambda: places)


def test_one_holder_may_hold_all_places_and_others_still_get_their_share() -> None:
    lane = lane_of(10)
    assert sum(lane.enter("flood") for _ in range(50)) == 10
    assert [lane.enter("small") for _ in range(6)] == [True] * 5 + [False]
    assert [lane.enter("third") for _ in range(5)] == [True] * 3 + [False] * 2
    assert not lane.enter("flood")
    lane.leave("flood")
    assert not lane.enter("flood"), "it holds more than its share"
    assert sum(lane.enter(f"other{n}") for n in range(20)) == 3, "shares of many exceed the places twice at most"


def test_what_small_holders_leave_of_an_equal_share_belongs_to_the_large_one() -> None:
    lane = lane_of(14)
    assert sum(lane.enter("flood") for _ in range(50)) == 14
    for small in range(8):
        assert lane.enter(f"small{small}")
    for _ in range(8):
        lane.leave("flood")
    # 14 places, nine holders: an equal share would be one. Eight use one each, so that six are left for the ninth.
    assert not lane.enter("flood")
    assert lane.enter("small0"), "a second place of a small holder, while the large one has more than both"
    lane.leave("flood")
    lane.leave("flood")
    assert lane.total == 13
    assert lane.enter("flood")


def test_a_place_that_is_left_is_free_for_everyone() -> None:
    lane = lane_of(2)
    assert [lane.enter("one"), lane.enter("one"), lane.enter("one")] == [True, True, False]
    lane.leave("one")
    lane.leave("one")
    assert [lane.enter("two"), lane.enter("two"), lane.enter("two")] == [True, True, False]


def test_a_limit_that_falls_takes_no_place_away_and_gives_none_until_enough_are_left() -> None:
    places = 4
    lane = Lane("tests", lambda: places)
    assert [lane.enter("one") for _ in range(4)] == [True] * 4
    places = 2
    lane.leave("one")
    assert lane.is_full
    assert not lane.enter("one")
    lane.leave("one")
    lane.leave("one")
    assert lane.enter("one")


def test_places_beyond_the_limit_keep_no_other_holder_out_and_are_bounded_by_holder() -> None:
    lane = lane_of(4)
    assert [lane.enter("quick") for _ in range(4)] == [True] * 4
    assert [lane.insist("slow") for _ in range(6)] == [True] * 4 + [False] * 2
    assert lane.enter("third"), "the excess of another holder is not counted"
    for _ in range(4):
        lane.leave("slow")
    assert lane.total == 5
