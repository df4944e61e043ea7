"""Is a store or a process ready? One short question each, over a plain socket, answered true or false.

Synchronous and stdlib only, so that a supervisor, a test and a shell script ask in the same way.
A TCP accept is not readiness: PostgreSQL accepts while it recovers, so it is asked by a real login.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import subprocess
from urllib.parse import urlsplit

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
    command = [psql, "--no-psqlrc", "--quiet", "--tuples-only", "--command", "select 1", dsn]
    try:
        answer = subprocess.run(  # noqa: S603 psql of the wheel
            command, capture_output=True, timeout=3.0, check=False, env={"PGCONNECT_TIMEOUT": "2"}
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0
