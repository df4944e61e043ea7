import pytest

from gateway.http.negotiation import choose_coding


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        ("", ""),
        ("gzip", "gzip"),
        ("zstd", "zstd"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip;q=1.0, zstd;q=0.5", "gzip"),
        ("GZIP", "gzip"),
        ("x-gzip", "gzip"),
        ("*", "zstd"),
        ("*;q=0.1, gzip;q=0", "zstd"),
        ("gzip;q=0", ""),
        ("identity", ""),
        ("identity;q=0.5, gzip;q=0.4", ""),
        ("identity;q=0, *;q=0", ""),
        ("br", ""),
        ("gzip;q=nonsense", ""),
        ("gzip;q=7", ""),
        (" , ;q=1,gzip ; q=0.3", "gzip"),
    ],
)
def test_the_best_by_q_value_wins_and_ours_among_equals(accepted: str, chosen: str) -> None:
    assert choose_coding(accepted) == chosen
