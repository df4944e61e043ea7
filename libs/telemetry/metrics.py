"""Every metric of the suite, declared once. Names and units follow Prometheus (prometheus.io/docs/practices/naming).

A metric that is not here does not exist (a contract test reads the tree). Labels stay few and bounded: never an id.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

# Bucket bounds in seconds of requests, calls and statements. 0.2 is the promised p95.
_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0)
# Bucket bounds in seconds of one round trip to Redis. 0.0015 is the goal at p99 of rate limits.
_QUICK = (0.00025, 0.0005, 0.00075, 0.001, 0.0015, 0.002, 0.003, 0.005, 0.01, 0.025, 0.1, 0.25)
# Bucket bounds in seconds of jobs, up to half an hour.
_SLOW = (0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1800.0)

HTTP_SERVER_SECONDS = Histogram(
    "http_server_duration_seconds",
    "Time to answer an HTTP request; status is its class",
    ("method", "route", "status"),
    buckets=_FAST,
    registry=REGISTRY,
)
HTTP_SERVER_INFLIGHT = Gauge("http_server_inflight", "HTTP requests being answered", registry=REGISTRY)
HTTP_SERVER_SHED = Counter(
    "http_server_shed_total", "Requests refused because all places of their lane were taken", ("lane",),
    registry=REGISTRY,
)  # fmt: skip
HTTP_SERVER_PLACES = Gauge(
    "http_server_places", "Places of a lane, by state: held, limit", ("lane", "state"), registry=REGISTRY
)
RPC_SERVER_RUNNING = Gauge("rpc_server_running", "RPCs being answered", registry=REGISTRY)
RPC_SERVER_SHED = Counter("rpc_server_shed_total", "RPCs refused because too many were running", registry=REGISTRY)
BREAKER_OPEN = Gauge(
    "breaker_open", "1 while calls of the dependency are refused without being made", ("dependency",), registry=REGISTRY
)
# Set by the gateway when it is scraped: the last minute of its own requests, and what the services say of themselves.
HTTP_REQUEST_RATE = Gauge("http_requests_per_second", "HTTP requests over the last minute", registry=REGISTRY)
HTTP_ERROR_RATE = Gauge(
    "http_errors_per_second", "HTTP answers 4xx and 5xx over the last minute", ("status_class",), registry=REGISTRY
)
HTTP_RESPONSE_SECONDS = Gauge(
    "http_response_seconds", "Time to answer over the last minute, by quantile", ("quantile",), registry=REGISTRY
)
SUITE_POOL_CONNECTIONS = Gauge(
    "suite_db_pool_connections",
    "Database connections of one replica of each service, by state: total, idle, active",
    ("service", "state"),
    registry=REGISTRY,
)
SUITE_CACHE_HIT_RATIO = Gauge("suite_cache_hit_ratio", "Share of reads that caches answered", registry=REGISTRY)
SUITE_SOCKETS = Gauge("suite_realtime_sockets", "Open client connections of one realtime replica", registry=REGISTRY)
SUITE_MEMORY_BYTES = Gauge(
    "suite_memory_bytes", "Resident memory of one replica of each service", ("service", "instance"), registry=REGISTRY
)
SUITE_CPU_SECONDS = Gauge(
    "suite_cpu_seconds", "CPU time used by one replica of each service", ("service", "instance"), registry=REGISTRY
)
SUITE_JOB_RUN_SECONDS = Gauge(
    "suite_job_run_p95_seconds", "Processing time of jobs, 95th percentile", ("service", "queue"), registry=REGISTRY
)
SUITE_JOBS_WAITING = Gauge("suite_jobs_waiting", "Jobs that are due", ("service", "queue"), registry=REGISTRY)

RPC_SERVER_SECONDS = Histogram(
    "rpc_server_duration_seconds", "Time to answer an RPC", ("method", "code"), buckets=_FAST, registry=REGISTRY
)
RPC_CLIENT_SECONDS = Histogram(
    "rpc_client_duration_seconds", "Time an RPC to a peer took", ("method", "code"), buckets=_FAST, registry=REGISTRY
)

DB_POOL_CONNECTIONS = Gauge(
    "db_pool_connections", "Connections of a pool by state: total, idle, active", ("pool", "state"), registry=REGISTRY
)
DB_ACQUIRE_SECONDS = Histogram(
    "db_acquire_duration_seconds", "Wait for a database connection", ("pool",), buckets=_FAST, registry=REGISTRY
)
DB_STATEMENT_SECONDS = Histogram(
    "db_statement_duration_seconds", "Time of a database call", ("kind",), buckets=_FAST, registry=REGISTRY
)
DB_REPLICA_READS = Counter(
    "db_replica_reads_total",
    "Reads that a replica could answer, by who did: replica, primary",
    ("source",),
    registry=REGISTRY,
)
DB_REPLICA_LAG = Gauge("db_replica_lag_seconds", "The most by which the replica can be behind", registry=REGISTRY)

CACHE_HITS = Counter(
    "cache_hits_total", "Reads answered by a level: memory, redis", ("level", "cache"), registry=REGISTRY
)
CACHE_MISSES = Counter(
    "cache_misses_total", "Reads that a level could not answer", ("level", "cache"), registry=REGISTRY
)
CACHE_EVICTIONS = Counter(
    "cache_evictions_total", "Entries that left because a bound was reached", ("level", "cache"), registry=REGISTRY
)
CACHE_ENTRIES = Gauge("cache_entries", "Entries that a level holds", ("level", "cache"), registry=REGISTRY)
CACHE_BYTES = Gauge("cache_bytes", "Bytes of the values that a level holds", ("level", "cache"), registry=REGISTRY)
CACHE_LOAD_SECONDS = Histogram(
    "cache_load_duration_seconds", "Loads from the source", ("cache",), buckets=_FAST, registry=REGISTRY
)
CACHE_FILLS_REFUSED = Counter(
    "cache_fills_refused_total", "Loaded values whose lease an invalidation had taken", ("cache",), registry=REGISTRY
)
CACHE_STALE = Counter(
    "cache_stale_answers_total", "Older values within the bound, because the source was slow or away", ("cache",),
    registry=REGISTRY,
)  # fmt: skip
CACHE_SHADOW_READS = Counter(
    "cache_shadow_reads_total", "Sampled hits compared with the source; outcome is same, changed or stale",
    ("cache", "outcome"), registry=REGISTRY,
)  # fmt: skip
CACHE_HEARTBEAT_SECONDS = Gauge(
    "cache_heartbeat_age_seconds", "Age of the evidence behind the last value read from Redis", ("cache",),
    registry=REGISTRY,
)  # fmt: skip
CACHE_INVALIDATIONS = Counter(
    "cache_invalidations_total",
    "Changes told to Redis: by their writer (applied, failed), by the relay (applied, or repeated after the writer)",
    ("by", "outcome"), registry=REGISTRY,
)  # fmt: skip
CACHE_REDIS_UP = Gauge("cache_redis_up", "1 while the cache's breaker is closed", registry=REGISTRY)

JOBS_ENQUEUED = Counter("jobs_enqueued_total", "Jobs written", ("queue", "kind"), registry=REGISTRY)
JOBS_STARTED = Counter("jobs_started_total", "Attempts begun", ("queue", "kind"), registry=REGISTRY)
JOBS_FINISHED = Counter("jobs_finished_total", "Jobs completed", ("queue", "kind"), registry=REGISTRY)
JOBS_FAILED = Counter("jobs_failed_total", "Jobs that ended as failed", ("queue", "kind"), registry=REGISTRY)
JOBS_RETRIED = Counter("jobs_retried_total", "Attempts that will be tried again", ("queue", "kind"), registry=REGISTRY)
JOBS_STALLED = Counter("jobs_stalled_total", "Leases that ran out", ("queue", "kind"), registry=REGISTRY)
JOB_WAIT_SECONDS = Histogram(
    "job_wait_duration_seconds", "From due to started", ("queue", "kind"), buckets=_SLOW, registry=REGISTRY
)
JOB_RUN_SECONDS = Histogram(
    "job_run_duration_seconds", "From started to finished", ("queue", "kind"), buckets=_SLOW, registry=REGISTRY
)
JOB_DEPTH = Gauge("job_queue_depth", "Queued jobs, counted to 100,000", ("queue",), registry=REGISTRY)
JOB_OLDEST_SECONDS = Gauge(
    "job_queue_oldest_seconds", "How long the oldest queued job has been due", ("queue",), registry=REGISTRY
)

OUTBOX_LAG_SECONDS = Gauge("outbox_lag_seconds", "Age of the oldest unpublished event", registry=REGISTRY)
OUTBOX_PUBLISHED = Counter("outbox_published_total", "Events handed to the bus", registry=REGISTRY)
EVENTS_HANDLED = Counter(
    "events_handled_total",
    "Events a consumer dealt with; outcome is handled, duplicate, retried or dead",
    ("consumer", "topic", "outcome"),
    registry=REGISTRY,
)
EVENTS_DEAD = Gauge("events_dead", "Dead events that were not redriven yet", ("consumer",), registry=REGISTRY)
BUS_CONNECTED = Gauge("bus_connected", "1 while connected to the bus", registry=REGISTRY)

SOCKETS = Gauge("realtime_sockets", "Open client connections", ("transport",), registry=REGISTRY)
REALTIME_PUBLICATIONS = Counter(
    "realtime_publications_total", "Publications that listeners of this instance wanted", registry=REGISTRY
)
REALTIME_DELIVERIES = Counter("realtime_deliveries_total", "Publications times their listeners", registry=REGISTRY)
REALTIME_DISCONNECTS = Counter(
    "realtime_disconnects_total", "Connections that the server ended, by close code", ("code",), registry=REGISTRY
)
WEBHOOK_ATTEMPTS = Counter(
    "webhook_attempts_total",
    "Outbound webhook attempts; outcome is delivered, retry, gone or refused",
    ("outcome",),
    registry=REGISTRY,
)
RATE_LIMIT_DECISIONS = Counter(
    "rate_limit_decisions_total", "Decisions; outcome is allowed, refused or degraded", ("outcome",), registry=REGISTRY
)
RATE_LIMIT_WAIT_SECONDS = Histogram(
    "rate_limit_wait_seconds",
    "Time that a request waited for Redis to decide over its rate limits",
    buckets=_QUICK,
    registry=REGISTRY,
)
OUTBOUND_HTTP_SECONDS = Histogram(
    "outbound_http_duration_seconds",
    "Calls to addresses outside the suite; outcome is the status class, refused or failed",
    ("outcome",),
    buckets=_FAST,
    registry=REGISTRY,
)
KEY_CREATED = Gauge(
    "key_created_timestamp_seconds",
    "When a key was made; 0 where its id does not tell. state is active, published, retiring or trusted",
    ("setting", "kid", "state"),
    registry=REGISTRY,
)
KEY_RELOADS = Counter(
    "key_reloads_total",
    "Changed files of keys, by outcome: taken, failed",
    ("setting", "outcome"),
    registry=REGISTRY,
)
LOOP_LAG_SECONDS = Gauge("event_loop_lag_seconds", "How late the event loop ran a timer, last seen", registry=REGISTRY)


def exposition() -> bytes:
    """All metrics in Prometheus' text format, version 0.0.4."""
    return generate_latest(REGISTRY)
