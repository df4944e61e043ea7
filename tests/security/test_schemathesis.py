"""schemathesis with all its checks over the document, as three callers: the owner, a key that may little, a stranger.

Every failure must be explained below, by the check and the problem that the suite answered. `make check` runs a short
form; `make security` sets SCHEMATHESIS_EXAMPLES to 200 requests an operation and adds the coverage and stateful phases.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.routes.documentation import FILE
from local.runner.suite import Suite
from local.tools.environments import ensure_tools, tool_environment

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "0"))
# A short run of a caller who is refused anyway finds little more.
SHORT_EXAMPLES = {"owner": 3, "narrow": 1, "stranger": 1, "key": 3}
# With several threads the tool meets a fault of CPython 3.11 (AST constructor recursion depth mismatch).
WORKERS = 1
# Their success ends the credential of the run, so they have a run of their own under another.
ENDING = ("logout", "revoke_session")


@dataclass(frozen=True)
class Explanation:
    """Why a check may fail. Empty `operations`: wherever the problem is met."""

    check: str
    code: str
    reason: str
    operations: tuple[str, ...] = ()


POSITIVE, NEGATIVE = "positive_data_acceptance", "negative_data_rejection"
UPLOAD = ("POST /api/documents/upload",)
EXPLAINED = (
    Explanation(
        POSITIVE, "invalid_query", "page and cursor exclude each other, and a window must not end before it begins"
    ),
    Explanation(POSITIVE, "invalid_cursor", "a cursor is opaque: only one that the list gave fits"),
    Explanation(POSITIVE, "page_out_of_range", "page x limit reaches 10,000 rows"),
    Explanation(POSITIVE, "idempotency_key_reused", "the tool sends one key with several requests"),
    Explanation(POSITIVE, "stale_version", "a made-up If-Match names no version that exists"),
    Explanation(POSITIVE, "range_not_satisfiable", "a made-up Range lies outside the file"),
    Explanation(
        POSITIVE,
        "unsupported_media_type",
        "a document is told by its name and content",
        ("POST /api/documents/upload",),
    ),
    Explanation(POSITIVE, "empty_document", "a document without content", ("POST /api/documents/upload",)),
    Explanation(POSITIVE, "invalid_multipart", "a part that multipart cannot carry", ("POST /api/documents/upload",)),
    Explanation(
        POSITIVE,
        "validation_failed",
        "rules that JSON Schema cannot tell: an address that can get mail, a password that is hard to guess, a meter "
        "or a zone that exists, a name that shows something, a time with a year that can be kept",
    ),
    Explanation(POSITIVE, "forbidden_address", "a URL that leads into a private network"),
    Explanation(POSITIVE, "meter_reserved", "the suite alone counts calls", ("POST /api/billing/usage-events",)),
    Explanation(POSITIVE, "invalid_value", "a number that cannot be kept exactly"),
    Explanation(NEGATIVE, "stale_version", "a version that is not there is told before the body is read"),
    Explanation("not_a_server_error", "payments_not_configured", "501: no Stripe here", ("POST /api/webhooks/stripe",)),
    Explanation(
        "not_a_server_error",
        "openid_not_configured",
        "501: no OpenID provider here",
        ("POST /api/login/openid", "POST /api/login/openid/complete"),
    ),
    Explanation(
        "status_code_conformance",
        "route_not_found",
        "the stream has a server of its own, and the tool asks the gateway for all paths",
        ("GET /api/events/stream",),
    ),
)
# What `negative_data_rejection` takes for a fault of a header that is accepted, and why it is none.
ACCEPTED_HEADERS = {
    "in header - object with unexpected properties": "HTTP ignores fields that it does not know (RFC 9110, 5.1)",
    "parameter `X-Min-Version` in header": "an empty field demands no version; any other text is refused",
}


@dataclass(frozen=True)
class Failure:
    operation: str
    check: str
    message: str
    status: int
    code: str
    request: str

    @property
    def is_explained(self) -> bool:
        if self.check == NEGATIVE and self.status < 400:
            return any(told in self.message for told in ACCEPTED_HEADERS)
        return any(
            (known.check, known.code) == (self.check, self.code)
            and (not known.operations or self.operation in known.operations)
            for known in EXPLAINED
        )


@pytest.fixture(scope="module")
def program() -> Path:
    return ensure_tools("schemathesis", ["schemathesis==4.32.5"]) / "bin" / "schemathesis"


@pytest.fixture(scope="module")
def credentials(suite: Suite) -> dict[str, str]:
    """What each caller shows: a session of the owner, a key of few rights, nothing; and the owner's key."""
    known = suite.credentials
    with httpx.Client(base_url=suite.url, headers={"Authorization": f"Bearer {suite.api_key}"}, timeout=60) as http:
        sent = {"name": "narrow", "scopes": ["agents:read", "calls:read"]}
        narrow = http.post("/api/api-keys", json=sent).json()["secret"]
        login = {"email": known["email"], "password": known["password"]}
        session = http.post("/api/login", json=login).json()["token"]
        spare = http.post("/api/api-keys", json={"name": "spare", "scopes": ["*"]}).json()["secret"]
    return {"owner": session, "narrow": narrow, "stranger": "", "key": spare}


@pytest.fixture
def run(
    suite: Suite, program: Path, credentials: dict[str, str], tmp_path: Path
) -> Callable[..., tuple[int, list[Failure]]]:
    """`run(caller, …options)`: how many requests were sent, and what failed."""

    def ask(caller: str, *options: str) -> tuple[int, list[Failure]]:
        report = tmp_path / "report.ndjson"
        phases = "examples,coverage,fuzzing,stateful" if EXAMPLES else "fuzzing"
        command = [
            str(program), "run", str(FILE), "--url", suite.url, "--checks", "all", "--continue-on-failure",
            "--no-shrink", "--phases", phases, "--max-examples", str(EXAMPLES or SHORT_EXAMPLES[caller]),
            "--workers", str(WORKERS),
            "--seed", "1", "--request-timeout", "30", "--warnings", "off", "--generation-database", "none",
            "--report", "ndjson", "--report-ndjson-path", str(report), *options,
        ]  # fmt: skip
        if credentials[caller]:
            command += ["--header", f"Authorization: Bearer {credentials[caller]}"]
        done = subprocess.run(
            command, cwd=tmp_path, env=tool_environment(program.parents[1]), check=False, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        # 0: nothing failed; 1: something did, which is judged here.
        assert done.returncode in (0, 1), done.stdout
        with report.open(encoding="utf-8") as lines:
            return _read(lines)

    return ask


def _read(lines: Iterator[str]) -> tuple[int, list[Failure]]:
    sent = 0
    failures: list[Failure] = []
    for line in lines:
        [(kind, event)] = json.loads(line).items()
        if kind == "ScenarioFinished" and event.get("recorder"):
            recorder = event["recorder"]
            sent += len(recorder.get("interactions", ()))
            failures += _failures(recorder)
        assert "Error" not in kind, line
    return sent, failures


def _failures(recorder: dict[str, Any]) -> Iterator[Failure]:
    for case, checks in recorder.get("checks", {}).items():
        for check in checks:
            if check["status"] == "success":
                continue
            told = check["failure_info"]["failure"]
            interaction = recorder["interactions"][case]
            response = interaction.get("response") or {}
            yield Failure(
                operation=told.get("operation") or recorder["label"],
                check=check["name"],
                message=told["message"],
                status=response.get("status_code", 0),
                code=_code(response),
                request=json.dumps(interaction["request"])[:600],
            )


def _code(response: dict[str, Any]) -> str:
    content = (response.get("content") or {}).get("$base64", "")
    try:
        return str(json.loads(base64.b64decode(content)).get("code", ""))
    except (ValueError, AttributeError):
        return ""


def unexplained(failures: list[Failure]) -> list[str]:
    return sorted(
        {f"{one.operation}: {one.check}: {one.status} {one.code}: {one.message}\n  {one.request}"
         for one in failures if not one.is_explained}
    )  # fmt: skip


@pytest.mark.parametrize("caller", ["owner", "narrow", "stranger"])
def test_no_check_of_schemathesis_fails_without_an_explanation(
    run: Callable[..., tuple[int, list[Failure]]], caller: str
) -> None:
    excluded = [word for name in ENDING for word in ("--exclude-operation-id", name)]
    sent, failures = run(caller, *excluded)
    assert sent > (EXAMPLES or SHORT_EXAMPLES[caller]) * 60
    faults = unexplained(failures)
    assert not faults, f"{len(faults)} of {sent} requests:\n" + "\n".join(faults[:20])


def test_the_operations_that_end_a_session_fail_no_check_either(
    run: Callable[..., tuple[int, list[Failure]]],
) -> None:
    sent, failures = run("key", *(word for name in ENDING for word in ("--include-operation-id", name)))
    assert sent > len(ENDING)
    assert not unexplained(failures)


def test_an_undocumented_answer_is_no_explained_failure() -> None:
    found = Failure("GET /api/agents", "status_code_conformance", "Undocumented", 418, "stale_version", "")
    assert not found.is_explained
    assert not Failure("GET /api/agents", NEGATIVE, "accepted in query", 200, "", "").is_explained
