"""The stores that the caller's environment names instead of the embedded ones, asked before anything is started.

A store that does not answer, or is none, is told by its variable and its host. Passwords are never part of a message.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Mapping
from urllib.parse import SplitResult, unquote, urlsplit

from local.stores import StoreFailed, run_sql

# Seconds until a store that does not answer is reported. Stores are near; a longer wait hides the reason.
SECONDS = 3.0
# server_version_num of PostgreSQL 15, the oldest release that the manifests and the tests of migrations name.
OLDEST_POSTGRES = 150_000
# Version and rights in one login, because each psql costs a process.
_QUESTION = (
    "select current_setting('server_version_num') || ' ' || (rolsuper or rolcreaterole) "
    "from pg_roles where rolname = current_user"
)


def require_answers(given: Mapping[str, str]) -> None:
    """Raises StoreFailed for the first store that cannot be used."""
    for variable, ask in ASKED.items():
        if url := given.get(variable):
            reason = _reason(ask, url)
            if reason:
                raise StoreFailed(f"{variable} names {place(url)}: {reason}.")


def place(url: str) -> str:
    """Host and port of each address, without user and password."""
    try:
        return ", ".join(_host_port(urlsplit(one.strip())) for one in url.split(","))
    except ValueError:
        return "an address that cannot be read"


def _host_port(parts: SplitResult) -> str:
    host = parts.hostname or "no host"
    return host if parts.port is None else f"{host}:{parts.port}"


def _reason(ask: Callable[[str], str], url: str) -> str:
    """Why the store cannot be used; empty when it can."""
    try:
        return ask(url)
    except socket.gaierror:
        return "no such host is known"
    except TimeoutError:
        return f"it did not answer within {SECONDS:.0f} s"
    except OSError as error:
        return (error.strerror or str(error)).lower()
    except ValueError:
        return "it is no URL"


def _ask_postgres(url: str) -> str:
    if not url.startswith(("postgresql://", "postgres://")):
        return "it must begin with postgresql://"
    try:
        version, _, may_create_roles = run_sql(url, _QUESTION).partition(" ")
    except StoreFailed as error:
        said = str(error).strip().partition("\n")[0]
        return said.rpartition(" failed: ")[2].removeprefix("FATAL:").strip().rstrip(".") or "it refused the login"
    if int(version) < OLDEST_POSTGRES:
        return f"it is PostgreSQL {int(version) // 10_000}, and the suite needs 15 or newer"
    # Migrations create two roles for each service.
    return "" if may_create_roles == "true" else "its user may not create roles; name an administrator"


def _ask_redis(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("redis", "rediss"):
        return "it must begin with redis:// or rediss://"
    with _connect(parts, 6379) as link:
        if parts.scheme == "rediss":  # the services say what they find behind TLS
            return ""
        login = [unquote(word) for word in (parts.username, parts.password) if word]
        link.sendall((f"AUTH {' '.join(login)}\r\n" if parts.password else "").encode() + b"PING\r\n")
        # Both answers fit into one packet; AUTH refuses with a line that begins with "-".
        said = link.recv(1024).decode(errors="replace")
    refused = next((line[1:] for line in said.splitlines() if line.startswith("-")), "")
    return refused or ("" if "+PONG" in said or said.startswith("+OK") else "what answers there is no Redis")


def _ask_nats(url: str) -> str:
    # One address that answers is enough: the client finds the others by itself.
    reasons = [_reason(_ask_one_nats, one.strip()) for one in url.split(",")]
    return "" if "" in reasons else reasons[0]


def _ask_one_nats(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("nats", "tls"):
        return "it must begin with nats:// or tls://"
    with _connect(parts, 4222) as link:
        said = link.recv(65_536)
    if not said.startswith(b"INFO "):
        return "what answers there is no NATS"
    try:
        has_streams = json.loads(said.partition(b"\r\n")[0][5:]).get("jetstream", False)
    except ValueError:
        return ""  # a greeting in several packets
    return "" if has_streams else "it runs without JetStream (nats-server -js)"


def _connect(parts: SplitResult, default_port: int) -> socket.socket:
    return socket.create_connection((parts.hostname or "", parts.port or default_port), SECONDS)


ASKED: Mapping[str, Callable[[str], str]] = {
    "DATABASE_URL": _ask_postgres,
    "DATABASE_DIRECT_URL": _ask_postgres,
    "REDIS_URL": _ask_redis,
    "NATS_URL": _ask_nats,
}
