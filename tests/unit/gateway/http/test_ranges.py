import pytest

from gateway.http.ranges import ByteRange, parse_range
from libs.errors import OutOfRange


@pytest.mark.parametrize(
    ("header", "start", "end"),
    [
        ("bytes=0-0", 0, 1), ("bytes=0-99", 0, 10), ("bytes=5-", 5, 10), ("bytes=-3", 7, 10), ("bytes=-99", 0, 10),
        ("bytes=9-9", 9, 10),
    ],
)  # fmt: skip
def test_a_range_is_half_open_and_cut_to_the_file(header: str, start: int, end: int) -> None:
    assert parse_range(header, 10) == ByteRange(start, end)


@pytest.mark.parametrize("header", ["", "bytes=", "bytes=-", "items=0-1", "bytes=0-1,3-4", "bytes=5-4", "bytes=a-b"])
def test_what_is_no_single_range_means_the_whole_file(header: str) -> None:
    assert parse_range(header, 10) is None


@pytest.mark.parametrize(
    ("header", "size"), [("bytes=10-", 10), ("bytes=99-100", 10), ("bytes=0-", 0), ("bytes=-0", 5)]
)
def test_a_range_past_the_end_is_refused(header: str, size: int) -> None:
    with pytest.raises(OutOfRange) as caught:
        parse_range(header, size)
    assert caught.value.metadata == {"size": str(size)}


def test_content_range_counts_from_zero_to_the_last_byte() -> None:
    assert ByteRange(0, 5).content_range(10) == "bytes 0-4/10"
