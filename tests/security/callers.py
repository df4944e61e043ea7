"""What the tool of schemas loads beside its own checks. Runs in its environment, which has none of ours.

Drawing a request costs more than sending it, so each is drawn once: the owner's, sent again as each other caller, with
all checks over every answer. `OTHER_CALLERS` is a JSON object, name -> API key, empty for none.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

import requests
import schemathesis  # type: ignore[import-not-found]
from requests.structures import CaseInsensitiveDict
from schemathesis.checks import CheckContext  # type: ignore[import-not-found]
from schemathesis.engine._validate import validate_response  # type: ignore[import-not-found]
from schemathesis.transport.requests import ManagedCookiesSession  # type: ignore[import-not-found]

OTHERS: dict[str, str] = json.loads(os.environ["OTHER_CALLERS"])
# Whom a busy machine keeps waiting gets these. The same request is asked again, after so many seconds each time.
PASSING, PAUSES = (503, 504), (1.0, 5.0, 15.0)
PATIENCE_SECONDS = 120
# The tool's own one carries the owner's credential.
_sessions = {name: ManagedCookiesSession() for name in OTHERS}


@schemathesis.check  # type: ignore[untyped-decorator]
def other_callers(ctx: Any, response: Any, case: Any) -> None:
    """The ids of cases that others sent begin with who it was."""
    known = ctx.internals
    for name, credential in OTHERS.items():
        headers = {"Authorization": f"Bearer {credential}"} if credential else {}
        sent = {**known.transport_kwargs, "session": _sessions[name], "headers": headers}
        # The tool has put the owner's credential among the fields of the case.
        own = known.headers or {}
        other = case.derive(
            headers=CaseInsensitiveDict(
                {field: value for field, value in case.headers.items() if own.get(field) != value}
            )
        )
        other.id = f"{name}-{other.id}"
        known.record_case(parent_id=case.id, case=other)
        answer = other.call(**sent)
        known.record_response(case_id=other.id, response=answer)
        judged = CheckContext(
            override=known.override,
            auth=None,
            headers=CaseInsensitiveDict(headers) if headers else None,
            config=ctx.config,
            transport_kwargs=sent,
            recorder=known.recorder,
            response_checks=None,
            phase=ctx.phase,
            auth_enforced_operations=set(),
        )
        judged.internals.checks.remove(other_callers)
        validate_response(case=other, ctx=judged, response=answer, continue_on_failure=True, recorder=known.recorder)


@schemathesis.hook  # type: ignore[untyped-decorator]
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Whether the failure counts: what a busy machine answers late is a fault if it is so each time."""
    if response.status_code not in PASSING:
        return True
    with requests.Session() as session:
        for seconds in PAUSES:
            time.sleep(seconds)
            if session.send(response.request, timeout=PATIENCE_SECONDS).status_code != response.status_code:
                return False
    return True
