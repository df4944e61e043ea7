"""The metrics of one class, with their labels bound once."""

from libs.telemetry import metrics


class Figures:
    """Counted by libs.cache.tiered; docs/caching.md says what each means."""

    def __init__(self, name: str) -> None:
        self.hits = {level: metrics.CACHE_HITS.labels(level, name) for level in ("memory", "redis")}
        self.misses = {level: metrics.CACHE_MISSES.labels(level, name) for level in ("memory", "redis")}
        self.load_seconds = metrics.CACHE_LOAD_SECONDS.labels(name)
        self.refused = metrics.CACHE_FILLS_REFUSED.labels(name)
        self.stale = metrics.CACHE_STALE.labels(name)
        self.evidence = metrics.CACHE_HEARTBEAT_SECONDS.labels(name)
        self.shadow = {
            outcome: metrics.CACHE_SHADOW_READS.labels(name, outcome) for outcome in ("same", "changed", "stale")
        }
