"""The first organization, its owner and an API key, made once through the public API as any customer would.

What it made is kept in var/credentials.json. Data that were thrown away or replaced are noticed by asking with the key.
"""

from __future__ import annotations

import json
import secrets
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.stores import write_private

# A name reserved for examples (RFC 2606): mail to it has no recipient.
EMAIL = "owner@example.com"


class NotCreated(RuntimeError):
    """The public API refused; the message carries its answer."""


def ensure(file: Path, urls: Mapping[str, str]) -> dict[str, str]:
    """The credentials, valid now; `urls` are refreshed in the file because ports may change."""
    known = _read(file)
    base = urls["url"]
    # Only 401 proves that the key is not of this database; any other failure would throw a good key away.
    if not known.get("apiKey") or _ask("GET", f"{base}/api/organization", key=known["apiKey"])[0] == 401:
        known = _create(base, known.get("email", EMAIL), known.get("password") or secrets.token_urlsafe(18))
    fresh = {**urls, **{name: known[name] for name in ("apiKey", "organizationId", "email", "password")}}
    if fresh != known:
        write_private(file, json.dumps(fresh, indent=2) + "\n")
    return fresh


def _read(file: Path) -> dict[str, str]:
    """What is known; nothing where the file is gone or broken, because signing in again makes a fresh key."""
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _create(base: str, email: str, password: str) -> dict[str, str]:
    person = {
        "email": email, "password": password, "firstName": "First", "lastName": "Owner",
        "organizationName": "First Organization",
    }  # fmt: skip
    status, answer = _ask("POST", f"{base}/api/register", body=person)
    # 409: the account exists since an earlier run whose credentials file was lost.
    if status not in (201, 409):
        raise NotCreated(f"POST /api/register answered {status}: {json.dumps(answer)}")
    status, session = _ask("POST", f"{base}/api/login", body={"email": email, "password": password})
    if status != 200:
        raise NotCreated(
            f"POST /api/login answered {status}: {json.dumps(session)}. If {email} exists in this database with "
            "another password, put its password into var/credentials.json."
        )
    body = {"name": "local", "scopes": ["*"]}
    status, key = _ask("POST", f"{base}/api/api-keys", body=body, key=session["token"])
    if status != 201:
        raise NotCreated(f"POST /api/api-keys answered {status}: {json.dumps(key)}")
    return {
        "apiKey": key["secret"], "organizationId": session["user"]["organizationId"], "email": email,
        "password": password,
    }  # fmt: skip


def _ask(method: str, url: str, body: Any = None, key: str = "") -> tuple[int, Any]:
    """Retries 503 for a while: the services behind a gateway that just started may still be a moment away."""
    deadline = time.monotonic() + 10
    while True:
        status, answer = _ask_once(method, url, body, key)
        # 0 means that no connection was made: the gateway may still be starting.
        if status not in (0, 503, 504) or time.monotonic() > deadline:
            return status, answer
        time.sleep(0.1)


def _ask_once(method: str, url: str, body: Any, key: str) -> tuple[int, Any]:
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers=headers, method=method)  # noqa: S310 our own http URL
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as refusal:
        with refusal:
            text = refusal.read().decode(errors="replace")
        return refusal.code, json.loads(text) if text.startswith("{") else text
    except OSError as error:
        return 0, str(error)


def main() -> None:
    """`python -m local.runner.first_organization URL`: for a suite that runs elsewhere, such as a local cluster."""
    base = sys.argv[1]
    file = Path("var") / "cluster" / "credentials.json"
    urls = {"url": base, "realtimeUrl": "ws://127.0.0.1:8081", "eventsUrl": "http://127.0.0.1:8082"}
    ensure(file, urls)
    sys.stdout.write(f"{file}\n")


if __name__ == "__main__":
    main()
