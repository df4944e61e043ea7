"""Configuration: frozen dataclasses read once from the environment; the only room that touches os.environ.

A field made by `setting("NAME")` is read from NAME, or from the file that NAME_FILE names (secrets are files in
production). All problems are collected and reported together. It must not know what a setting means.
"""

import base64
import binascii
import dataclasses
import functools
import os
import socket
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from libs import urls
from libs.urls import Url

T = TypeVar("T")

# 32 random bytes have 30 different ones on average.
_LEAST_DIFFERENT_BYTES = 12
_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}


class ConfigError(Exception):
    """The environment does not describe a process that can run. `problems` has one line for each thing to correct."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("configuration: " + "; ".join(self.problems))


def setting(
    name: str,
    default: Any = dataclasses.MISSING,
    *,
    default_factory: Callable[[], Any] | None = None,
    secret: bool = False,
    url: Url | None = None,
    help: str = "",
) -> Any:
    """A dataclass field read from the environment variable `name`. Without a default it is required; a secret stays
    out of repr and is masked in logs. A value that `url` says cannot work is refused."""
    metadata = {"env": name, "secret": secret, "url": url, "help": help}
    if default_factory is not None:
        return dataclasses.field(default_factory=default_factory, repr=not secret, kw_only=True, metadata=metadata)
    return dataclasses.field(default=default, repr=not secret, kw_only=True, metadata=metadata)


def settings_map(variables: Mapping[str, tuple[str, str]], *, help: str = "") -> Any:
    """A dataclass field of type Mapping[str, str] read from several environment variables: key -> (name, default)."""
    defaults = {key: default for key, (_, default) in variables.items()}
    return dataclasses.field(default_factory=lambda: defaults, kw_only=True, metadata={"map": variables, "help": help})


def load(
    cls: type[T],
    environ: Mapping[str, str] | None = None,
    *,
    require: Iterable[str] = (),
    require_in_production: Iterable[str] = (),
) -> T:
    """An instance of the settings dataclass from the environment. `require` names fields that must not stay empty
    although they have a default (what a command needs differs from command to command). In production those of
    `require_in_production` must be set: their defaults are for one machine. Secrets leave the process's own
    environment, so that no child process finds them there."""
    source = os.environ if environ is None else environ
    hints = typing.get_type_hints(cls)
    needed, production = set(require), source.get("ENVIRONMENT") == "production"
    to_be_set = set(require_in_production) if production else set()
    values: dict[str, Any] = {}
    problems: list[str] = []
    for field in dataclasses.fields(typing.cast(Any, cls)):
        if "map" in field.metadata:
            values[field.name] = _read_map(field, source, problems)
        env = field.metadata.get("env")
        if env is None:
            continue
        try:
            text = _raw(env, source)
            if text is not None:
                values[field.name] = _convert(text, hints[field.name])
            elif _is_required(field):
                raise ValueError("is required")
            if text is None and field.name in to_be_set:
                raise ValueError("is required in production")
            if field.name in needed and not values.get(field.name):
                raise ValueError("is required by this command")
        except ValueError as error:
            problems.append(_problem(env, error, field))
    try:
        loaded = cls(**values)
    except ConfigError as error:
        raise ConfigError([*problems, *error.problems]) from None
    except TypeError:
        if problems:  # a required value is missing
            raise ConfigError(problems) from None
        raise
    if problems:
        raise ConfigError(problems)
    if environ is None:
        _forget_secrets(cls)
    return loaded


def _forget_secrets(cls: type[Any]) -> None:
    for field in dataclasses.fields(cls):
        if field.metadata.get("secret"):
            os.environ.pop(field.metadata["env"], None)


def _read_map(field: "dataclasses.Field[Any]", source: Mapping[str, str], problems: list[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for key, (env, default) in field.metadata["map"].items():
        try:
            text = _raw(env, source)
            values[key] = default if text is None else text
        except ValueError as error:
            problems.append(_problem(env, error, field))
    return values


def _problem(env: str, error: ValueError, field: "dataclasses.Field[Any]") -> str:
    return f"{env} {error}" + (f" ({field.metadata['help']})" if field.metadata["help"] else "")


def file_of(name: str) -> Path | None:
    """The file that holds the value of the setting of this environment variable; None where none does."""
    file_name = os.environ.get(f"{name}_FILE")
    return Path(file_name) if file_name else None


def reread(settings: object, field_name: str) -> Any:
    """The value of a setting as its file says now; ValueError for a file that cannot be read or does not fit."""
    field = next(each for each in dataclasses.fields(typing.cast(Any, settings)) if each.name == field_name)
    text = _raw(field.metadata["env"], os.environ)
    if not text:
        raise ValueError("is empty")
    return _convert(text, typing.get_type_hints(type(settings))[field_name])


def secret_values(settings: object) -> list[str]:
    """The values of all secret fields, for the log filter that must never let them through."""
    found: list[str] = []
    for field in dataclasses.fields(typing.cast(Any, settings)):
        if not field.metadata.get("secret"):
            continue
        value = getattr(settings, field.name)
        found.extend(value if isinstance(value, tuple) else [value] if isinstance(value, str) else [])
    return [value for value in found if value]


def _raw(env: str, source: Mapping[str, str]) -> str | None:
    file_name = source.get(f"{env}_FILE")
    if file_name:
        if env in source:
            raise ValueError(f"and {env}_FILE are both set; keep one")
        try:
            return Path(file_name).read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"names an unreadable file: {type(error).__name__}") from error
    return source.get(env)


def _is_required(field: "dataclasses.Field[Any]") -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _convert(text: str, hint: Any) -> Any:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        inner = next(option for option in typing.get_args(hint) if option is not type(None))
        return None if text == "" else _convert(text, inner)
    if origin is tuple:
        item = typing.get_args(hint)[0]
        return tuple(_convert(part.strip(), item) for part in text.split(",") if part.strip())
    if hint is bool:
        return _boolean(text)
    if hint in (int, float):
        return _number(text, hint)
    if hint is str:
        return text
    raise TypeError(f"settings of type {hint} are not supported")


def _boolean(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ValueError("must be true or false")


def _number(text: str, kind: type[int] | type[float]) -> int | float:
    try:
        return kind(text)
    except ValueError:
        raise ValueError("must be a whole number" if kind is int else "must be a number") from None


@functools.cache
def _this_instance() -> str:
    return f"{socket.gethostname()}-{os.getpid()}"


def _url_problems(settings: "ProcessSettings") -> list[str]:
    """Of all URL settings: what cannot work, and in production what it refuses."""
    found = []
    for field in dataclasses.fields(settings):
        rule, text = field.metadata.get("url"), getattr(settings, field.name)
        if rule is None or not text:
            continue
        problems = list(rule.problems(text))
        # A store's default is the local one; which commands must be told theirs says load().
        if not problems and settings.production and not (rule.password and text == field.default):
            problems += rule.refusals(text, settings.plaintext_allow)
        found += [f"{field.metadata['env']} {problem}" for problem in problems]
    return found


def _is_weak(keys: Iterable[str]) -> bool:
    """Whether a "name=base64" key is of few different bytes, as those of examples are."""
    for key in keys:
        try:
            raw = base64.b64decode(key.partition("=")[2], validate=True)
        except binascii.Error:
            continue  # its reader says what is wrong
        if raw and len(set(raw)) < _LEAST_DIFFERENT_BYTES:
            return True
    return False


def limits_problems(settings: "ProcessSettings", limits: str, effect: str) -> list[str]:
    """What is wrong with LIMITS. `effect` says what bench does, which production refuses."""
    if limits not in ("normal", "bench"):
        return ["LIMITS must be normal or bench"]
    if settings.production and limits == "bench":
        return [f"LIMITS must be normal in production: bench {effect}"]
    return []


def outbound_problems(settings: "ProcessSettings", entries: Iterable[str]) -> list[str]:
    """One sentence for each entry of OUTBOUND_ALLOW that opens more than one port of one host, in production."""
    wide = [entry for entry in entries if "*" in entry or "/" in entry or not entry.rpartition(":")[2].isdecimal()]
    return [
        f"OUTBOUND_ALLOW must name one port of one host in production, not {entry}"
        for entry in wide
        if settings.production
    ]


@dataclasses.dataclass(frozen=True, slots=True)
class ProcessSettings:
    """The settings of every process: the gateway, and the services through `ServiceSettings`."""

    environment: str = setting("ENVIRONMENT", "local", help="local or production")
    instance: str = setting("INSTANCE", default_factory=_this_instance)
    release: str = setting("RELEASE", "dev")
    ops_address: str = setting(
        "OPS_ADDRESS", "127.0.0.1:0", help="host:port of /metrics, /live, /ready; empty for none"
    )
    principal_signing_key: str = setting(
        "PRINCIPAL_SIGNING_KEY", "", secret=True, help="issuer/kid=base64 Ed25519 private seed"
    )
    cursor_key: tuple[str, ...] = setting(
        "CURSOR_KEY",
        (),
        secret=True,
        help="kid=base64, comma list, the first signs; the same for all replicas of a service",
    )
    redis_url: str = setting("REDIS_URL", "redis://127.0.0.1:6379/0", secret=True, url=urls.REDIS)
    nats_url: str = setting(
        "NATS_URL", "nats://127.0.0.1:4222", secret=True, url=urls.NATS, help="comma list of servers"
    )
    otlp_endpoint: str | None = setting("OTEL_EXPORTER_OTLP_ENDPOINT", None, url=Url(("http", "https")))
    log_level: str = setting("LOG_LEVEL", "INFO")
    drain_seconds: float = setting("DRAIN_SECONDS", 10.0)
    plaintext_allow: tuple[str, ...] = setting(
        "PLAINTEXT_ALLOW",
        (),
        help="hosts that production reaches without TLS: a mesh or a sidecar protects the way",
    )
    grpc_tls_certificate: str = setting("GRPC_TLS_CERTIFICATE", "", help="PEM; all three for TLS between the processes")
    grpc_tls_key: str = setting("GRPC_TLS_KEY", "", secret=True, help="PEM")
    grpc_tls_authority: str = setting("GRPC_TLS_AUTHORITY", "", help="PEM of who signs the processes' certificates")
    connections_max: int = setting("CONNECTIONS_MAX", 10_000, help="of one public listener; 0 = no limit")
    connections_per_address: int = setting(
        "CONNECTIONS_PER_ADDRESS", 1_000, help="of one public listener; 0 = no limit, needed behind a proxy"
    )

    @property
    def production(self) -> bool:
        return self.environment == "production"

    @property
    def grpc_tls(self) -> bool:
        """Whether the processes speak TLS to one another."""
        return bool(self.grpc_tls_certificate)

    def problems(self) -> list[str]:
        """One sentence for each value that cannot work, or that production refuses; a subclass adds its own."""
        found = [] if self.environment in ("local", "production") else ["ENVIRONMENT must be local or production"]
        if len({bool(self.grpc_tls_certificate), bool(self.grpc_tls_key), bool(self.grpc_tls_authority)}) > 1:
            found.append("GRPC_TLS_CERTIFICATE, GRPC_TLS_KEY and GRPC_TLS_AUTHORITY must be set together")
        return found + _url_problems(self)

    def __post_init__(self) -> None:
        problems = self.problems()
        if problems:
            raise ConfigError(problems)


@dataclasses.dataclass(frozen=True, slots=True)
class ServiceSettings(ProcessSettings):
    """The settings that each service adds: its address, its database, its peers' keys. services/<svc>/config.py
    subclasses it and may add fields."""

    grpc_address: str = setting("GRPC_ADDRESS", "127.0.0.1:0", help="host:port of the gRPC server")
    rpc_places: int = setting("RPC_PLACES", 256, help="RPCs that a process answers at a time; more are refused")
    database_url: str = setting("DATABASE_URL", "", secret=True, url=urls.POSTGRESQL, help="DSN of the <svc>_app role")
    database_system_url: str = setting(
        "DATABASE_SYSTEM_URL", "", secret=True, url=urls.POSTGRESQL, help="DSN of the <svc>_system role"
    )
    database_direct_url: str | None = setting(
        "DATABASE_DIRECT_URL", None, secret=True, url=urls.POSTGRESQL, help="never through a pooler"
    )
    migrate_patience: float = setting(
        "MIGRATE_PATIENCE_SECONDS", 120.0, help="how long migrate asks a database again that does not answer"
    )
    database_replica_url: str | None = setting(
        "DATABASE_REPLICA_URL",
        None,
        secret=True,
        url=urls.POSTGRESQL,
        help="DSN of the <svc>_app role at a streaming replica, for lists and analytics that no cache holds",
    )
    replica_lag_seconds: float = setting("REPLICA_LAG_SECONDS", 2.0, help="a replica further behind is not read")
    list_total_seconds: float = setting(
        "LIST_TOTAL_SECONDS", 60.0, help="how long the estimated total of a list of more than 10,000 rows is kept"
    )
    database_admin_url: str | None = setting(
        "DATABASE_ADMIN_URL", None, secret=True, url=urls.POSTGRESQL, help="only migrate uses it"
    )
    app_password: str | None = setting("DATABASE_APP_PASSWORD", None, secret=True)
    system_password: str | None = setting("DATABASE_SYSTEM_PASSWORD", None, secret=True)
    pool_max: int = setting("POOL_MAX", 50)
    pool_min: int = setting("POOL_MIN", 0)
    connect_timeout: float = setting("POOL_CONNECT_TIMEOUT", 3.0, help="seconds")
    acquire_timeout: float = setting("POOL_ACQUIRE_TIMEOUT", 3.0, help="seconds")
    idle_seconds: float = setting("POOL_IDLE_SECONDS", 30.0)
    statement_cache: int = setting("DATABASE_STATEMENT_CACHE", 256, help="0 behind a PgBouncer before 1.21")
    events_max_bytes: int = setting("EVENTS_MAX_BYTES", 512 * 1024 * 1024, help="bound of the NATS stream EVENTS")
    events_replicas: int = setting("EVENTS_REPLICAS", 1, help="replicas of the stream in a NATS cluster")
    principal_trusted_keys: tuple[str, ...] = setting(
        "PRINCIPAL_TRUSTED_KEYS", (), help="issuer/kid=base64 Ed25519 public key, comma list"
    )
    encryption_keys: tuple[str, ...] = setting(
        "ENCRYPTION_KEYS", (), secret=True, help="kid=base64 32 bytes, comma list, the first is current"
    )
    quotas: tuple[str, ...] = setting(
        "QUOTAS", (), help="name=number, comma list: limits in place of those in suite/tables.py"
    )
    worker_concurrency: int = setting("WORKER_CONCURRENCY", 8)

    def problems(self) -> list[str]:
        found = ProcessSettings.problems(self)
        if self.production:
            keys = {"PRINCIPAL_SIGNING_KEY": (self.principal_signing_key,), "ENCRYPTION_KEYS": self.encryption_keys}
            found += [f"{name} is not random, which production refuses" for name, of in keys.items() if _is_weak(of)]
        if self.rpc_places < 1:
            found.append("RPC_PLACES must be at least 1")
        if not 0 <= self.pool_min <= self.pool_max or self.pool_max < 1:
            found.append("POOL_MIN and POOL_MAX must satisfy 0 <= POOL_MIN <= POOL_MAX and POOL_MAX >= 1")
        if self.replica_lag_seconds < 1.0:
            found.append("REPLICA_LAG_SECONDS must be at least 1, because the lag is measured every half second")
        return found
