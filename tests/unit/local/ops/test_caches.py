"""The table of the caches from the text that gateways serve."""

from __future__ import annotations

from local.ops.caches import of_caches, rows_of
from local.ops.metrics import samples

TEXT = """
# TYPE cache_hits counter
cache_hits_total{cache="agent",level="memory"} 70
cache_hits_total{cache="agent",level="redis"} 20
cache_hits_total{cache="principals",level="memory"} 5
# TYPE cache_misses counter
cache_misses_total{cache="agent",level="redis"} 10
# TYPE cache_load_duration_seconds histogram
cache_load_duration_seconds_bucket{cache="agent",le="+Inf"} 10
cache_load_duration_seconds_count{cache="agent"} 10
cache_load_duration_seconds_sum{cache="agent"} 0.05
# TYPE cache_shadow_reads counter
cache_shadow_reads_total{cache="agent",outcome="stale"} 1
"""


def test_a_class_is_one_row_with_its_share_of_hits_and_its_stale_answers() -> None:
    [row] = rows_of(dict(of_caches(samples(TEXT))))
    assert (row["class"], row["memory"], row["redis"], row["missed"]) == ("agent", 70, 20, 10)
    assert (row["hit_percent"], row["loads"], row["load_ms"], row["beyond_bound"]) == (90.0, 10, 5.0, 1)
