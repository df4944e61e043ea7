"""Is a store or a process ready? One short question each, over a plain socket, answered true or false.

Synchronous and stdlib only, so that a supervisor, a test and a shell script ask in the same way.
A TCP accept is not readiness: PostgreSQL accepts while it recovers, so it is asked by a real login.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import subprocess
from urllib.parse import unquote, urlsplit, urlunsplit

# Seconds for one question. A healthy process on loopback answers in milliseconds; a longer wait would only delay the
# next probe.
TIMEOUT = 1.0


def redis_ready(port: int) -> bool:
    """True when it answers commands: with PONG, or by asking for the password."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), TIMEOUT) as link:
        link.sendall(b"PING\r\n")
        return link.recv(64).startswith((b"+PONG", b"-NOAUTH"))
    return False


def http_ready(url: str) -> bool:
    """True when the address answers a GET with 200."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT)
    with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
        connection.request("GET", parts.path or "/")
        with connection.getresponse() as answer:
            return answer.status == 200
    return False


def tcp_ready(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), TIMEOUT):
        return True
    return False


def postgres_ready(psql: str, dsn: str) -> bool:
    """A login that runs a statement; refused with 57P03 while the server starts or recovers."""
    address, login = split_login(dsn)
    command = [psql, "--no-psqlrc", "--quiet", "--tuples-only", "--command", "select 1", address]
    try:
        answer = subprocess.run(  # noqa: S603 psql of the wheel
            # Above PGCONNECT_TIMEOUT, so that psql reports its own reason first.
            command,
            capture_output=True,
            timeout=3.0,
            check=False,
            env={"PGCONNECT_TIMEOUT": "2", **login},
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0


def split_login(dsn: str) -> tuple[str, dict[str, str]]:
    """The address without its password, and the password as libpq reads it from the environment.

    Every user of the machine can read the arguments of a process, but only its owner its environment."""
    parts = urlsplit(dsn)
    if parts.password is None:
        return dsn, {}
    host = parts.netloc.rpartition("@")[2]
    user = parts.netloc.partition(":")[0]
    return urlunsplit(parts._replace(netloc=f"{user}@{host}")), {"PGPASSWORD": unquote(parts.password)}
