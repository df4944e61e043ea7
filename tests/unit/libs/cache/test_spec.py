"""TTLs as a setting, and the tags by which a change finds values."""

import pytest

from gateway.config import GatewaySettings
from libs.cache.classes import CLASSES
from libs.cache.spec import MAX_TTL_SECONDS, CacheClass, replaced_by, tuned
from libs.config import ConfigError


def test_a_setting_changes_the_ttl_of_its_class_alone() -> None:
    kinds = tuned(CLASSES, ("agent=600", "analytics=1"))
    assert {name: kind.ttl_seconds for name, kind in kinds.items()} == {
        **{kind.name: kind.ttl_seconds for kind in CLASSES}, "agent": 600.0, "analytics": 1.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("agents=600", "names no class agents"),
        ("agent", "not ''"),
        ("agent=0", "not '0'"),
        ("agent=-5", "not '-5'"),
        ("agent=1.5", "not '1.5'"),
        (f"agent={MAX_TTL_SECONDS + 1}", f"1 to {MAX_TTL_SECONDS}"),
        ("=600", "names no class"),
    ],
)
def test_a_ttl_that_cannot_be_ends_the_start_of_a_gateway_and_says_why(entry: str, told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        GatewaySettings(cache_ttls=("call=60", entry))
    assert [told in problem and "CACHE_TTLS" in problem for problem in refused.value.problems] == [True]


def test_a_change_replaces_the_tags_of_the_lists_and_of_the_single_view_and_no_others() -> None:
    lists = CacheClass("lists", "edge", "query", 60, 5, ("thing",), ("things",))
    single = CacheClass("single", "edge", "id", 60, 5, ("thing",), ("things",), single=True)
    replaced = set(replaced_by("thing.updated", "org_1", "t1"))
    assert set(lists.tags("org_1", "t2")) <= replaced
    assert set(single.tags("org_1", "t1")) <= replaced
    assert not replaced & {*single.tags("org_1", "t2"), *single.tags("org_2", "t1"), *lists.tags("org_2")}
