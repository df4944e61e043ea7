"""Links of mails in the local mailbox, as the people would find them whom they are sent to."""

from __future__ import annotations

import re
import time

import httpx

from tests.patience import PATIENCE_SECONDS


def mailed_token(operator: httpx.Client, email: str, page: str, *, after: str = "") -> str:
    """The token of the newest link to `page` that was mailed to the address, another one than `after`. Only the
    platform's own organization may read mails that belong to no organization."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        answer = operator.get("/api/admin/mail", params={"unregistered": "true"})
        for mail in answer.json()["data"]:
            found = re.search(rf"\S+/app#{page}/(\S+)", mail["text"])
            if email in mail["to"] and found is not None and found[1] != after:
                return found[1]
        time.sleep(0.1)
    raise AssertionError(f"no mail: {answer.text}")
