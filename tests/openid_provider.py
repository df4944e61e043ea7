"""A real OpenID provider as a process, for the tests of sign-in, and a person who signs in there."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, quote, urlsplit

import httpx

from local.processes.ports import free_ports

# Seconds until the provider listens; it is a program of Python on a busy machine.
START_SECONDS = 60.0


@contextmanager
def running() -> Iterator[str]:
    """The provider's issuer, as long as the process runs."""
    (port,) = free_ports(1)
    url, options = f"http://127.0.0.1:{port}", ["--port", str(port), "--require-nonce", "true"]
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + START_SECONDS
            while not _listens(url):
                assert process.poll() is None, "the provider ended"
                assert time.monotonic() < deadline
                time.sleep(0.1)
            yield url
        finally:
            process.terminate()


def _listens(url: str) -> bool:
    try:
        return httpx.get(f"{url}/jwks").status_code == 200
    except httpx.TransportError:
        return False


def knows(issuer: str, subject: str, email: str, *, verified: bool = True) -> None:
    claims = {"email": email, "email_verified": verified}
    httpx.put(f"{issuer}/users/{quote(subject)}", json=claims).raise_for_status()


def approve(url: str, subject: str, page: str) -> dict[str, str]:
    """What the provider's redirect carries once the person has signed in there."""
    answer = httpx.post(url, data={"sub": subject})
    assert answer.status_code == 302, answer.text
    assert answer.headers["location"].startswith(page)
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}
