"""Monitoring commands, run on the stores of the running suite."""

from __future__ import annotations

import json
import socket
from typing import Any
from urllib.parse import urlsplit

from local.stores import StoreFailed, run_sql

# Each role is one service's tenant or system pool, so its counts show which pool is full.
POOL = """
select usename as role, count(*) as total, count(*) filter (where state = 'active') as active,
       count(*) filter (where state = 'idle') as idle
from pg_stat_activity where datname = current_database() group by usename order by usename
"""
# By the mean, because a statement that runs often is cheap in the mean and dear in total; both are shown.
SLOW = """
select calls, round(mean_exec_time::numeric, 1) as mean_ms, round(total_exec_time::numeric) as total_ms,
       left(regexp_replace(query, '\\s+', ' ', 'g'), 90) as query
from extensions.pg_stat_statements where mean_exec_time > {least_ms} order by mean_exec_time desc limit {limit}
"""
# Below 90 % the shared buffers are too small for what is read often.
HIT_RATIO = """
select schemaname as schema,
       round(100.0 * sum(heap_blks_hit) / nullif(sum(heap_blks_hit) + sum(heap_blks_read), 0), 2) as hit_percent
from pg_statio_user_tables group by schemaname order by schemaname
"""
TABLES = """
select schemaname as schema, relname as table, n_live_tup as rows, n_dead_tup as dead,
       pg_size_pretty(pg_total_relation_size(relid)) as size
from pg_stat_user_tables order by pg_total_relation_size(relid) desc limit {limit}
"""
# What tells whether the cache has room: evictions above zero mean that the memory is full.
REDIS_FIGURES = (
    "used_memory_human",
    "maxmemory_human",
    "evicted_keys",
    "keyspace_hits",
    "keyspace_misses",
    "connected_clients",
)


def rows(admin_dsn: str, sql: str) -> list[dict[str, Any]]:
    """The rows of one query; through psql, because local knows no driver."""
    answer = run_sql(admin_dsn, f"select coalesce(json_agg(r), '[]') from ({sql}) r")  # noqa: S608 our own queries
    found: list[dict[str, Any]] = json.loads(answer)
    return found


def redis_figures(url: str) -> dict[str, str]:
    """Memory, evictions, hits and clients of Redis, by INFO over its own protocol."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 6379), timeout=2) as connection:
        stream = connection.makefile("rwb")
        if parts.password:
            _ask(stream, "AUTH", parts.password)
        text = _ask(stream, "INFO")
    figures = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return {name: figures[name] for name in REDIS_FIGURES if name in figures}


def _ask(stream: Any, *words: str) -> str:
    parts = [f"*{len(words)}\r\n", *(f"${len(word.encode())}\r\n{word}\r\n" for word in words)]
    stream.write("".join(parts).encode())
    stream.flush()
    head: str = stream.readline().decode().rstrip("\r\n")
    if not head or head.startswith("-"):
        raise StoreFailed(f"Redis answered: {head[1:] or 'nothing'}")
    if not head.startswith("$"):
        return head[1:]
    content: bytes = stream.read(int(head[1:]) + 2)
    return content.decode()
