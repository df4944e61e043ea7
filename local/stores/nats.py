"""The embedded NATS server with JetStream: its users and what each may say, and its monitoring port."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from local.processes.probes import http_ready
from local.processes.process import Command
from local.stores.store import Store, write_private

# The login of the store's own URL, with all rights; services have their own.
ADMINISTRATOR = "suite"


@dataclass(frozen=True)
class BusUser:
    """A login of NATS and the subjects that it may use; with none given it may use all."""

    name: str
    password: str
    publish: tuple[str, ...] = ()
    subscribe: tuple[str, ...] = ()

    def entry(self) -> dict[str, object]:
        entry: dict[str, object] = {"user": self.name, "password": self.password}
        if self.publish or self.subscribe:
            rights = {"publish": list(self.publish), "subscribe": list(self.subscribe)}
            entry["permissions"] = {name: {"allow": subjects} for name, subjects in rights.items()}
        return entry


def authorization(users: Iterable[BusUser]) -> str:
    """The part of a configuration of nats-server 2.9 or newer that lets only these users in."""
    return f"authorization {json.dumps({'users': [user.entry() for user in users]}, indent=1)}\n"


def make_nats(port: int, monitor: int, data: Path, logs: Path, users: Iterable[BusUser]) -> Store:
    """The first of the users is the one of the store's own URL."""
    users = tuple(users)
    data.mkdir(parents=True, exist_ok=True)
    program = Path(sys.prefix) / "bin" / "nats-server"
    configuration = data.with_name("nats.conf")
    listen = f"listen: 127.0.0.1:{port}\nhttp: 127.0.0.1:{monitor}\nserver_name: local\n"
    store = f"jetstream {{store_dir: {json.dumps(str(data))}}}\n"
    write_private(configuration, listen + store + authorization(users))
    command = Command(
        # SIGTERM at the runner's death: JetStream closes its files, where SIGKILL makes it recover them.
        name="nats",
        argv=[str(program), "-c", str(configuration)],
        log=logs / "nats.log",
        death_signal=signal.SIGTERM,
    )
    url = f"nats://{users[0].name}:{users[0].password}@127.0.0.1:{port}"
    return Store(command, url, data, lambda: http_ready(f"http://127.0.0.1:{monitor}/healthz"))
