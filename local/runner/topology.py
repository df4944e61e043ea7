"""Which processes make the suite, on which addresses, with which environment: the architecture, read top to bottom.

Pure: a plan is data. Starting it is the daemon's work. A new service is one more line in suite/services.py.
"""

from __future__ import annotations

import socket
import sys
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from local.runner.keys import Keys
from suite.services import GATEWAY, SERVICES, process_names

HOST = "127.0.0.1"
# Fixed, so that commands in the README work as they stand; nothing else of the suite is public.
PUBLIC_PORTS = {"gateway": 8080, "realtime-ws": 8081, "realtime-http": 8082}
STORE_PORTS = {"postgres": 7432, "redis": 7479, "nats": 7442, "nats-monitor": 7443}
GATEWAY_OPS = 7500
# What a caller may set for the services. All else of its shell stays out, so that a run depends on nothing unseen.
PASSED_ON = (
    "BILLING_PLAN", "BLOBS_URL", "CACHE_TTLS", "CONNECTIONS_MAX", "CONNECTIONS_PER_ADDRESS", "CORS_ORIGINS",
    "DATABASE_STATEMENT_CACHE", "DNS_RESOLVERS", "DOCUMENT_BYTES", "DOCUMENT_CHARACTERS", "DOCUMENT_CHUNKS",
    "DRAIN_SECONDS", "EMAIL_VERIFICATION", "EMBEDDINGS_API_KEY", "EMBEDDINGS_MODEL", "EMBEDDINGS_URL",
    "EMBED_PROCESSES", "EVENTS_MAX_BYTES", "EVENT_RETENTION_DAYS", "EXTRACT_CPU_SECONDS", "EXTRACT_MEMORY_MIB",
    "EXTRACT_WALL_SECONDS", "GATEWAY_PLACES", "INDEX_CPU_SECONDS", "LIST_TOTAL_SECONDS", "LOG_LEVEL",
    "LOW_CREDIT_MICROS", "MAIL_FROM", "MAIL_KEPT", "MAIL_RETENTION_DAYS",
    "MIGRATE_PATIENCE_SECONDS", "OCR_CPU_SECONDS", "OCR_MEMORY_MIB", "OCR_WALL_SECONDS",
    "OPENID_CLIENT_ID", "OPENID_CLIENT_SECRET",
    "OPENID_ISSUER", "OPERATOR_ORGANIZATIONS", "OTEL_EXPORTER_OTLP_ENDPOINT", "OUTBOUND_ALLOW", "PASSWORD_WORKERS",
    "PAYMENTS", "PAYMENT_RETURN_URL", "POOL_ACQUIRE_TIMEOUT", "POOL_CONNECT_TIMEOUT", "POOL_IDLE_SECONDS",
    "POOL_MAX", "POOL_MIN", "QUOTAS", "REALTIME_ALLOWED_ORIGINS", "RECONCILE_CRON", "RECONCILE_DAYS",
    "RECORDING_MAX_BYTES", "RECORDING_SECONDS", "RELEASE", "RPC_PLACES", "SECURITY_CONTACTS", "SECURITY_CONTACT_DAYS",
    "SECURITY_POLICY_URL", "SMTP_URL", "STREAMS_PER_ORGANIZATION",
    "STREAMS_PER_TOKEN", "STRIPE_API_URL", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRETS", "TRANSCRIPTION_MODEL",
    "TRIAL_GRANT_MICROS", "WEBHOOK_DISABLE_DAYS", "WEBHOOK_DISABLE_EXHAUSTED", "WORKER_CONCURRENCY",
)  # fmt: skip
# A load generator is one address and one key; the limits would measure themselves.
_NO_CONNECTION_LIMITS = dict.fromkeys(
    ("CONNECTIONS_MAX", "CONNECTIONS_PER_ADDRESS", "STREAMS_PER_ORGANIZATION", "STREAMS_PER_TOKEN"), "0"
)
# nginx opens every connection, from one address.
_BEHIND_NGINX = {"CONNECTIONS_PER_ADDRESS": "0"}
# Variables that change where the data are; a running suite with others is not the one asked for.
STORE_VARIABLES = ("DATABASE_URL", "DATABASE_DIRECT_URL", "REDIS_URL", "NATS_URL", "ECHOSENSEIX_SECRETS")
# Credentials of the object stores that obstore reads from the environment.
OBJECT_STORE_PREFIXES = ("AWS_", "AZURE_", "GOOGLE_")


@dataclass(frozen=True)
class StoreUrls:
    """Where the stores answer. `direct` reaches PostgreSQL past any pooler; it needs an administrator's rights. With
    `has_bus_users` NATS knows a user for each service; else all services log in as the URL says."""

    database: str
    direct: str
    redis: str
    nats: str
    has_bus_users: bool = False


@dataclass(frozen=True)
class Part:
    """One process of the suite."""

    service: str
    role: str  # gateway | serve | work
    index: int
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    addresses: Mapping[str, str]  # http, grpc, ws as clients use them; ops is the process's own /ready and /metrics
    ready_url: str
    ports: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        worker = "-worker" if self.role == "work" else ""
        return f"{self.service}{worker}" + (f"-{self.index}" if self.index else "")


@dataclass(frozen=True)
class Scale:
    """How many of each: `Scale.parse("gateway=3 knowledge-worker=2")`; what is not named runs once."""

    counts: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Scale:
        names = {GATEWAY, *(name for service in SERVICES.values() for name in service.processes)}
        counts: dict[str, int] = {}
        for word in process_names(text).replace(",", " ").split():
            name, _, number = word.partition("=")
            if name not in names or not number.isdecimal() or not 1 <= int(number) <= 20:
                known = ", ".join(sorted(names))
                raise ValueError(f'SCALE: "{word}" is not NAME=1..20 with NAME one of {known}.')
            counts[name] = int(number)
        return cls(counts)

    def of(self, name: str) -> int:
        return self.counts.get(name, 1)


@dataclass(frozen=True)
class Plan:
    """All parts, the public addresses, and the upstreams of nginx where a public door has several parts behind it."""

    parts: tuple[Part, ...]
    urls: Mapping[str, str]
    public_ports: Mapping[str, int]

    def addresses(self, service: str, kind: str) -> list[str]:
        return [part.addresses[kind] for part in self.parts if part.service == service and kind in part.addresses]


def make_plan(
    stores: StoreUrls, keys: Keys, var: Path, scale: Scale, port: Callable[[int], int], given: Mapping[str, str]
) -> Plan:
    """`port` turns a planned port into the one used; `given` is the caller's environment: little of it is passed on."""
    public = {name: port(planned) for name, planned in PUBLIC_PORTS.items()}
    urls = {
        "url": f"http://{HOST}:{public['gateway']}",
        "realtimeUrl": f"ws://{HOST}:{public['realtime-ws']}",
        "eventsUrl": f"http://{HOST}:{public['realtime-http']}",
    }
    # The first instance has the fixed port of the table, for tools that call it; further ones take free ports.
    grpc = {
        name: [port(service.grpc_port if n == 0 else 0) for n in range(scale.of(name))]
        for name, service in SERVICES.items()
    }
    shared = _shared_environment(var, urls, given) | {
        SERVICES[name].address_setting: ",".join(f"{HOST}:{number}" for number in numbers)
        for name, numbers in grpc.items()
    }
    parts: list[Part] = []
    for service, entry in SERVICES.items():
        own = shared | keys.service_environment(service) | stores_environment(stores, keys, service)
        if service == "realtime" and scale.of(service) > 1:
            own |= _BEHIND_NGINX
        for index, number in enumerate(grpc[service]):
            doors = _realtime_doors(scale, public, port) if service == "realtime" else {}
            ops = port(entry.ops_port if index == 0 else 0)
            parts.append(_serving(service, index, own, number, ops, doors))
        for index in range(scale.of(f"{service}-worker")):
            ops = port(entry.worker_ops_port if index == 0 else 0)
            # The same name after a restart: a worker takes back at once what its dead predecessor held.
            name = {"INSTANCE": f"{_this_clone(var)}-{service}-{index}"}
            parts.append(_working(service, index, own | name, ops))
    gateway = shared | keys.service_environment("gateway") | edge_environment(stores, keys, "gateway")
    for index in range(scale.of("gateway")):
        number = public["gateway"] if scale.of("gateway") == 1 else port(0)
        behind = {"TRUSTED_PROXIES": "1", **_BEHIND_NGINX} if scale.of("gateway") > 1 else {"TRUSTED_PROXIES": "0"}
        behind["GATEWAY_INSTANCES"] = str(scale.of("gateway"))
        ops = port(GATEWAY_OPS if index == 0 else 0)
        parts.append(_gateway(index, gateway | behind, number, ops))
    return Plan(tuple(parts), urls, public)


def stores_environment(stores: StoreUrls, keys: Keys, service: str) -> dict[str, str]:
    """How the service's processes reach their stores."""
    return database_environment(stores, keys, service) | edge_environment(stores, keys, service)


def edge_environment(stores: StoreUrls, keys: Keys, name: str) -> dict[str, str]:
    """How a deployable without a database, which the gateway is, reaches its stores."""
    nats = with_login(stores.nats, name, keys.bus_password(name)) if stores.has_bus_users else stores.nats
    return {"REDIS_URL": stores.redis, "NATS_URL": nats}


def database_environment(stores: StoreUrls, keys: Keys, service: str) -> dict[str, str]:
    """The service's own two roles; the administrator's DSN is given to the migrations alone."""
    app, system = (keys.role_password(service, role) for role in ("app", "system"))
    return {
        "DATABASE_URL": with_login(stores.database, f"{service}_app", app),
        "DATABASE_SYSTEM_URL": with_login(stores.database, f"{service}_system", system),
        "DATABASE_DIRECT_URL": with_login(stores.direct, f"{service}_system", system),
    }


def with_login(dsn: str, user: str, password: str) -> str:
    parts = urlsplit(dsn)
    # The last "@", because a password may hold one.
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{host}"))


def _shared_environment(var: Path, urls: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    return {
        "ENVIRONMENT": "local",
        "PYTHONUNBUFFERED": "1",
        "POOL_MAX": "10",
        "BLOBS_URL": (var / "blobs").as_uri(),
        "OUTBOUND_ALLOW": f"{HOST}:9900-9999",
        "PUBLIC_URL": urls["url"],
        "REALTIME_PUBLIC_URL": urls["realtimeUrl"],
        "EVENTS_PUBLIC_URL": urls["eventsUrl"],
        "LIMITS": given.get("LIMITS") or "normal",
        **(_NO_CONNECTION_LIMITS if given.get("LIMITS") == "bench" else {}),
        **{name: value for name, value in given.items() if value and is_passed_on(name, given)},
    }


def _this_clone(var: Path) -> str:
    """This folder on this machine: two clones may share a database, and must not take each other for dead."""
    return f"{socket.gethostname()}-{zlib.crc32(str(var.resolve()).encode()):08x}"


def is_setting(name: str, given: Mapping[str, str]) -> bool:
    """Whether a variable of the caller decides what runs."""
    return name in STORE_VARIABLES or is_passed_on(name, given)


def is_passed_on(name: str, given: Mapping[str, str]) -> bool:
    """An object store's credentials only with the object store."""
    return name in PASSED_ON or (name.startswith(OBJECT_STORE_PREFIXES) and bool(given.get("BLOBS_URL")))


def _realtime_doors(scale: Scale, public: Mapping[str, int], port: Callable[[int], int]) -> dict[str, int]:
    if scale.of("realtime") == 1:
        return {"ws": public["realtime-ws"], "http": public["realtime-http"]}
    return {"ws": port(0), "http": port(0)}


def _serving(service: str, index: int, own: Mapping[str, str], grpc: int, ops: int, doors: Mapping[str, int]) -> Part:
    environment = {**own, "GRPC_ADDRESS": f"{HOST}:{grpc}", "OPS_ADDRESS": f"{HOST}:{ops}"}
    addresses = {"grpc": f"{HOST}:{grpc}", "ops": f"http://{HOST}:{ops}"}
    if doors:
        environment["REALTIME_WS_ADDRESS"] = f"{HOST}:{doors['ws']}"
        environment["REALTIME_HTTP_ADDRESS"] = f"{HOST}:{doors['http']}"
        addresses |= {"ws": f"ws://{HOST}:{doors['ws']}", "http": f"http://{HOST}:{doors['http']}"}
    return Part(
        service, "serve", index, _module(f"services.{service}", "serve"), environment, addresses,
        f"http://{HOST}:{ops}/ready", (grpc, ops, *doors.values()),
    )  # fmt: skip


def _working(service: str, index: int, own: Mapping[str, str], ops: int) -> Part:
    environment = {**own, "GRPC_ADDRESS": f"{HOST}:0", "OPS_ADDRESS": f"{HOST}:{ops}"}
    return Part(
        service, "work", index, _module(f"services.{service}", "work"), environment,
        {"ops": f"http://{HOST}:{ops}"}, f"http://{HOST}:{ops}/ready", (ops,),
    )  # fmt: skip


def _gateway(index: int, own: Mapping[str, str], number: int, ops: int) -> Part:
    environment = {**own, "GATEWAY_ADDRESS": f"{HOST}:{number}", "OPS_ADDRESS": f"{HOST}:{ops}"}
    addresses = {"http": f"http://{HOST}:{number}", "ops": f"http://{HOST}:{ops}"}
    return Part(
        "gateway", "gateway", index, _module("gateway"), environment, addresses, f"http://{HOST}:{ops}/ready",
        (number, ops),
    )  # fmt: skip


def _module(name: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", name, *arguments)
