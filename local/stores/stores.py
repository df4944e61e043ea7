"""The three embedded stores as one: start, stop; one folder holds their data.

    with Stores(folder) as stores: stores.postgres_admin_dsn, stores.redis_url, stores.nats_url

Each has an administrator's password of its own, made once per folder; `bus_users` adds logins to NATS. Knows nothing of
services, schemas or roles: those come from `migrate`. `async with` works too and also starts in the
calling thread, because the servers die with the thread that started them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from local.processes.ports import free_ports
from local.stores.nats import ADMINISTRATOR, BusUser, make_nats
from local.stores.postgres import init_cluster, make_postgres
from local.stores.redis import make_redis
from local.stores.store import Store, kept_password

# In this order PostgreSQL, which takes the longest, starts first.
PARTS = ("postgres", "redis", "nats")


class Stores:
    """The stores named in `parts`, on given ports (`{"postgres": 5433, …}`, also `nats-monitor`) or free ones."""

    def __init__(
        self,
        data: Path,
        ports: Mapping[str, int] | None = None,
        *,
        parts: Iterable[str] = PARTS,
        durable: bool = True,
        logs: Path | None = None,
        bus_users: Iterable[BusUser] = (),
    ) -> None:
        wanted = tuple(parts)
        self.data = data.resolve()
        logs = logs or self.data / "logs"
        chosen = dict(zip((*PARTS, "nats-monitor"), free_ports(4), strict=True)) | dict(ports or {})
        self.postgres_password = ""
        makers: dict[str, Callable[[], Store]] = {
            "postgres": lambda: self._postgres(chosen["postgres"], logs, durable),
            "redis": lambda: make_redis(chosen["redis"], self.data / "redis", logs, self._password("redis")),
            "nats": lambda: make_nats(
                chosen["nats"], chosen["nats-monitor"], self.data / "nats", logs,
                [BusUser(ADMINISTRATOR, self._password("nats")), *bus_users],
            ),
        }  # fmt: skip
        self.nats_monitor_url = f"http://127.0.0.1:{chosen['nats-monitor']}"
        self.all = {name: makers[name]() for name in PARTS if name in wanted}

    def _postgres(self, port: int, logs: Path, durable: bool) -> Store:
        data = self.data / "postgres"
        self.postgres_password = self._password("postgres")
        return make_postgres(port, data, logs, self.postgres_password, durable)

    def _password(self, store: str) -> str:
        return kept_password(self.data / f"{store}.password")

    @property
    def postgres(self) -> Store:
        return self.all["postgres"]

    @property
    def redis(self) -> Store:
        return self.all["redis"]

    @property
    def nats(self) -> Store:
        return self.all["nats"]

    @property
    def postgres_admin_dsn(self) -> str:
        return self.postgres.url

    @property
    def redis_url(self) -> str:
        return self.redis.url

    @property
    def nats_url(self) -> str:
        return self.nats.url

    def start(self) -> Self:
        """All at once, then wait for each; leaves nothing running when one of them fails."""
        try:
            # Launched together: the start takes as long as the slowest of them.
            for name, store in self.all.items():
                if name == "postgres":
                    init_cluster(store, self.data)
                store.launch()
            # Asked together, then each is waited for.
            for store in self.all.values():
                store.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        for store in self.all.values():
            store.child.ask_to_stop()
        for store in self.all.values():
            store.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)
