"""schemathesis with all its checks over the document, as three callers: the owner, a key that may little, a stranger.

Each request is drawn once and sent as all of them (callers.py). How long an answer takes is not judged here: a busy
machine decides it. Every failure must be explained below, by the check and the problem that the suite answered. `make
check` runs a short form; `make security` sets SCHEMATHESIS_EXAMPLES to 200 requests an operation and adds the coverage
and stateful phases.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.routes.documentation import FILE
from local.runner.suite import Suite
from local.tools.environments import ensure_tools, tool_environment

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "0"))
SHORT_EXAMPLES = 3
# The first one's requests are sent as the others, too.
CALLERS = ("owner", "narrow", "stranger")
NARROW = ("agents:read", "calls:read")
_SCOPE = re.compile(r"Needs the scope (\S+)\.")
# With several threads the tool meets a fault of CPython 3.11 (AST constructor recursion depth mismatch), and its
# generation of requests holds the interpreter's lock.
WORKERS = 1
LONG_FORM = Path(__file__).with_name("schemathesis.toml")
OTHER_CALLERS = Path(__file__).with_name("callers.py")
# Seconds for an answer: that none comes is a fault, how long it takes is not.
PATIENCE = "120"
# Of so many requests one may have been answered late the first time.
LATE_SHARE = 1_000
PROCESSES = os.cpu_count() or 1
# Parts of the operations; more of them end closer together and start more often, in 5 s each.
PARTS = PROCESSES * 4 if EXAMPLES else PROCESSES
# The label of what follows links from one operation to others.
STATEFUL = "Stateful tests"
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
UNSUBSCRIBE = ("POST /api/notifications/unsubscribe/{token}",)
EXPLAINED = (
    Explanation(
        POSITIVE, "invalid_query", "page and cursor exclude each other, and a window must not end before it begins"
    ),
    Explanation(POSITIVE, "invalid_cursor", "a cursor is opaque: only one that the list gave fits"),
    Explanation(POSITIVE, "position_expired", "a made-up position lies beyond the log", ("GET /api/events",)),
    Explanation(POSITIVE, "page_out_of_range", "page x limit reaches 10,000 rows"),
    Explanation(POSITIVE, "idempotency_key_reused", "the tool sends one key with several requests"),
    Explanation(POSITIVE, "stale_version", "a made-up If-Match names no version that exists"),
    Explanation(POSITIVE, "range_not_satisfiable", "a made-up Range lies outside the file"),
    Explanation(
        POSITIVE,
        "unsupported_media_type",
        "a document is told by its name and content",
        UPLOAD,
    ),
    Explanation(POSITIVE, "empty_document", "a document without content", UPLOAD),
    Explanation(POSITIVE, "invalid_multipart", "a part that multipart cannot carry", UPLOAD),
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
    *(
        Explanation(
            check,
            "route_not_found",
            "the stream has a server of its own, and the tool asks the gateway for all paths",
            ("GET /api/events/stream",),
        )
        for check in ("status_code_conformance", "unsupported_method")
    ),
    *(
        Explanation(
            check,
            "payload_too_large",
            "a mail program posts a short form",
            UNSUBSCRIBE,
        )
        for check in (POSITIVE, NEGATIVE)
    ),
)
# What `negative_data_rejection` takes for a fault of a header that is accepted, and why it is none.
ACCEPTED_HEADERS = {
    "in header - object with unexpected properties": "HTTP ignores fields that it does not know (RFC 9110, 5.1)",
    "parameter `X-Min-Version` in header": "an empty field demands no version; any other text is refused",
}


@dataclass(frozen=True)
class Failure:
    caller: str
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
        sent = {"name": "narrow", "scopes": NARROW}
        narrow = http.post("/api/api-keys", json=sent).json()["secret"]
        login = {"email": known["email"], "password": known["password"]}
        session = http.post("/api/login", json=login).json()["token"]
        spare = http.post("/api/api-keys", json={"name": "spare", "scopes": ["*"]}).json()["secret"]
    return {"owner": session, "narrow": narrow, "stranger": "", "key": spare}


@dataclass
class Found:
    """What a run sent, by caller, phase and operation; who had success with which operation; what failed, and how much
    only at its first try."""

    sent: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    succeeded: set[tuple[str, str]] = field(default_factory=set)
    failures: list[Failure] = field(default_factory=list)
    late: int = 0

    def of(self, caller: str, phase: str) -> Counter[str]:
        """The requests of each operation by a caller in a phase."""
        found = {
            operation: count for (who, name, operation), count in self.sent.items() if (who, name) == (caller, phase)
        }
        return Counter(found)


Run = Callable[[Sequence[str], Sequence[str]], Found]


@pytest.fixture(scope="module")
def run(
    suite: Suite,
    program: Path,
    credentials: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
    summary: list[str],
) -> Run:
    """`run(callers, operations)`, which are named by their ids."""
    environment = {
        **tool_environment(program.parents[1]),
        "SCHEMATHESIS_HOOKS": str(OTHER_CALLERS),
        # The tables of characters take seconds to make.
        "HYPOTHESIS_STORAGE_DIRECTORY": str(program.parents[1] / "tables"),
    }

    def ask(callers: Sequence[str], phases: str, operations: Sequence[str], report: Path) -> Found:
        caller, *others = callers
        command = [
            str(program), *(("--config-file", str(LONG_FORM)) if EXAMPLES else ()),
            "run", str(FILE), "--url", suite.url, "--checks", "all", "--continue-on-failure", "--no-shrink",
            "--phases", phases, "--max-examples", str(EXAMPLES or SHORT_EXAMPLES), "--workers", str(WORKERS),
            "--suppress-health-check", "all",
            "--seed", "1", "--request-timeout", PATIENCE, "--max-response-time", PATIENCE,
            "--warnings", "off", "--generation-database", "none",
            "--report", "ndjson", "--report-ndjson-path", str(report),
            *(word for operation in operations for word in ("--include-operation-id", operation)),
        ]  # fmt: skip
        if credentials[caller]:
            command += ["--header", f"Authorization: Bearer {credentials[caller]}"]
        done = subprocess.run(
            command, cwd=report.parent, check=False, text=True,
            env={**environment, "OTHER_CALLERS": json.dumps({name: credentials[name] for name in others})},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        # 0: nothing failed; 1: something did, which is judged here.
        assert done.returncode in (0, 1), done.stdout
        with report.open(encoding="utf-8") as lines:
            return _read(lines, caller)

    def ask_all(callers: Sequence[str], operations: Sequence[str]) -> Found:
        folder = tmp_path_factory.mktemp("reports")
        parts = [operations[start::PARTS] for start in range(min(PARTS, len(operations)))]
        phases = "examples,coverage,fuzzing" if EXAMPLES else "fuzzing"
        tasks = [(phases, part, folder / f"part{number}.ndjson") for number, part in enumerate(parts)]
        if EXAMPLES and not {*operations} <= {*ENDING}:  # between those no link leads
            # The longest one, because links lead from any operation to any other.
            tasks.insert(0, ("stateful", operations, folder / "stateful.ndjson"))
        found, begun = Found(), time.monotonic()
        with ThreadPoolExecutor(PROCESSES) as pool:
            for one in pool.map(lambda task: ask(callers, *task), tasks):
                found.sent += one.sent
                found.succeeded |= one.succeeded
                found.failures += one.failures
                found.late += one.late
        seconds = time.monotonic() - begun
        for caller, phase in dict.fromkeys((caller, phase) for caller, phase, _ in found.sent):
            counts = found.of(caller, phase)
            summary.append(f"{caller}: {phase}: {counts.total()} requests to {len(counts)} operations")
        summary.append(f"{found.sent.total()} requests in {seconds:.0f} s, {found.late} late at their first try")
        return found

    return ask_all


def _read(lines: Iterable[str], caller: str) -> Found:
    """`caller` sent what no other did."""
    found = Found()
    for line in lines:
        [(kind, event)] = json.loads(line).items()
        if kind == "ScenarioFinished" and event.get("recorder"):
            recorder = event["recorder"]
            for case, interaction in recorder.get("interactions", {}).items():
                sender = _sender(case) or caller
                found.sent[sender, event["phase"], recorder["label"]] += 1
                if (interaction.get("response") or {}).get("status_code", 0) // 100 == 2:
                    found.succeeded.add((sender, recorder["label"]))
            found.failures += _failures(recorder, caller)
            found.late += len(recorder.get("filtered_failures", ()))
        assert "Error" not in kind, line
    return found


def _sender(case: str) -> str:
    """Which other caller sent the case; empty for the first one."""
    name, dash, _ = case.partition("-")
    return name if dash else ""


def _failures(recorder: dict[str, Any], caller: str) -> Iterator[Failure]:
    for case, checks in recorder.get("checks", {}).items():
        for check in checks:
            if check["status"] == "success":
                continue
            told = check["failure_info"]["failure"]
            interaction = recorder["interactions"][case]
            response = interaction.get("response") or {}
            yield Failure(
                caller=_sender(case) or caller,
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
        {f"{one.caller}: {one.operation}: {one.check}: {one.status} {one.code}: {one.message}\n  {one.request}"
         for one in failures if not one.is_explained}
    )  # fmt: skip


@dataclass(frozen=True)
class Operation:
    id: str
    label: str
    # Whether there is anything to vary: a parameter or a body.
    varies: bool
    # Whom it serves: anyone, or who has the scope; empty: any credential will do.
    public: bool
    scope: str

    def serves(self, caller: str) -> bool:
        is_known = caller != "stranger"
        return self.public or (is_known and (caller == "owner" or self.scope in ("", *NARROW)))


def _operations() -> list[Operation]:
    """All operations of the document, without those that end the credential."""
    paths = json.loads(FILE.read_text("utf-8"))["paths"]
    return [
        Operation(
            spec["operationId"],
            f"{method.upper()} {path}",
            varies="parameters" in spec or "requestBody" in spec,
            public=spec.get("security") == [],
            scope="".join(_SCOPE.findall(spec.get("description", ""))),
        )
        for path, methods in paths.items()
        for method, spec in methods.items()
        if spec["operationId"] not in ENDING
    ]


@pytest.fixture(scope="module")
def found(run: Run) -> Found:
    """What all callers met, but where it ends their credential."""
    return run(CALLERS, [operation.id for operation in _operations()])


@pytest.mark.parametrize("caller", CALLERS)
def test_no_check_of_schemathesis_fails_without_an_explanation(found: Found, caller: str) -> None:
    operations, counts = _operations(), found.of(caller, "fuzzing")
    # The tool sends nothing twice: of three drawn requests two may be equal, and of 200 more are drawn.
    few = {one.label: counts[one.label] for one in operations if counts[one.label] < max(1, one.varies * EXAMPLES)}
    assert not few
    faults = unexplained([failure for failure in found.failures if failure.caller == caller])
    assert not faults, f"{len(faults)} of {found.sent.total()} requests:\n" + "\n".join(faults[:20])


@pytest.mark.parametrize("caller", CALLERS)
def test_each_caller_has_success_with_what_serves_it_alone(found: Found, caller: str) -> None:
    serving = {one.label for one in _operations() if one.serves(caller)}
    succeeded = {operation for who, operation in found.succeeded if who == caller}
    assert succeeded
    assert succeeded <= {*serving, STATEFUL}


def test_few_answers_were_late_and_none_each_time(found: Found) -> None:
    assert found.late <= found.sent.total() // LATE_SHARE


def test_the_operations_that_end_a_session_fail_no_check_either(run: Run) -> None:
    found = run(["key"], ENDING)
    assert len(found.of("key", "fuzzing")) == len(ENDING)
    assert not unexplained(found.failures)


def test_an_undocumented_answer_is_no_explained_failure() -> None:
    found = Failure("owner", "GET /api/agents", "status_code_conformance", "Undocumented", 418, "stale_version", "")
    assert not found.is_explained
    assert not Failure("owner", "GET /api/agents", NEGATIVE, "accepted in query", 200, "", "").is_explained
