import pytest

from gateway.http.conditional import (
    entity_tag,
    entity_tag_of,
    expected_version,
    is_met,
    is_unchanged,
    names_tag,
    version_of,
)
from tests.unit.gateway.requests import make_request


@pytest.mark.parametrize(
    ("header", "unchanged"),
    [
        ('"3"', True), ('W/"3"', True), ('"3-gzip"', True), ('W/"3-zstd"', True), ('"2", "3"', True), ("*", True),
        ("", False), ('"4"', False), ('"3-br"', False), ("3", False), ('"3', False), ('"x"', False),
    ],
)  # fmt: skip
def test_if_none_match_compares_weakly_and_knows_every_encoding(header: str, unchanged: bool) -> None:
    assert is_unchanged(header, 3) is unchanged


@pytest.mark.parametrize(
    ("header", "version"),
    [
        ("", None), ("*", None), ('"3"', 3), ('"3-gzip"', 3), ('"3-zstd"', 3), ('"2", "3"', 3), ('W/"3"', 0),
        ("3", 0), ('"abc"', 0), ('"99999999999999999999"', 0),
    ],
)  # fmt: skip
def test_if_match_becomes_the_version_that_a_write_insists_on(header: str, version: int | None) -> None:
    assert expected_version(make_request({"if-match": header} if header else {})) == version


def test_if_match_on_a_read_compares_strongly() -> None:
    assert is_met("", 3)
    assert is_met("*", 3)
    assert is_met('"2", "3-zstd"', 3)
    assert not is_met('W/"3"', 3)
    assert not is_met('"2"', 3)


def test_our_own_tag_is_understood() -> None:
    assert expected_version(make_request({"if-match": entity_tag(12)})) == 12


def test_a_tag_of_bytes_binds_a_write_to_the_version_and_a_read_to_the_bytes() -> None:
    tag, other = entity_tag_of(12, b"{}"), entity_tag_of(12, b"[]")
    assert tag != other
    for sent in (tag, tag[:-1] + '-gzip"'):
        assert expected_version(make_request({"if-match": sent})) == version_of(sent) == 12
        assert names_tag(f"{other}, W/{sent}", tag.strip('"'))
    assert not names_tag(other, tag.strip('"'))
    assert version_of('"kept-by-bytes"') == 0
