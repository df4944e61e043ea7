"""The embedded PostgreSQL, Valkey and NATS, each a process with a data folder of its own.

Owns the servers' configuration. Knows nothing of services, schemas or roles.
"""

from local.stores.postgres import psql, run_sql
from local.stores.store import Store, StoreFailed, tail, write_private
from local.stores.stores import Stores

__all__ = ["Store", "StoreFailed", "Stores", "psql", "run_sql", "tail", "write_private"]
