"""The one-statement fence around a tenant's read."""

import pytest

from libs.postgres.fence import fenced

SQL = "select t.id from thing t where t.org_id = o.org and t.id = $2"


def test_the_setting_comes_before_the_query_and_once() -> None:
    text = fenced(SQL)
    assert text.index("set_config('app.org', $1, true)") < text.index(SQL)
    assert text.count(SQL) == 1
    assert text.endswith("offset 0) r")


@pytest.mark.parametrize("sql", ["select 1", "select t.id from thing t where t.org_id = $1", "select foo.org from foo"])
def test_a_query_that_ignores_the_organization_is_refused(sql: str) -> None:
    with pytest.raises(ValueError, match=r"o\.org"):
        fenced(sql)


def test_a_trailing_semicolon_does_not_matter() -> None:
    assert fenced(f"  {SQL} ;\n") == fenced(SQL)


def test_a_query_with_its_own_offset_is_nested() -> None:
    assert f"({SQL} limit $3 offset $4) q offset 0" in fenced(f"{SQL} limit $3 offset $4")


def test_braces_in_a_query_are_kept() -> None:
    assert "'{a,b}'" in fenced(f"{SQL} and t.name = any('{{a,b}}')")
