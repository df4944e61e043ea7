import json

import pytest

from gateway.http.problems import STATUS_OF_CODE, STATUS_OF_REASON, TITLES, problem_response, refusal_of
from libs.errors import ERROR_OF_CODE, AppError, Code, FailedPrecondition, InvalidArgument, Unavailable, Violation


def answer(error: BaseException, *, signed_in: bool = False) -> tuple[int, dict[str, str], dict[str, object]]:
    response = problem_response(error, "/api/agents/agt_1", "req_1", signed_in=signed_in)
    return response.status_code, dict(response.headers), json.loads(bytes(response.body))


EXPECTED = {
    Code.CANCELLED: 503,
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 422,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 409,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
    Code.UNAUTHENTICATED: 401,
}


def test_the_table_covers_all_sixteen_codes() -> None:
    assert set(EXPECTED) == set(Code) == set(STATUS_OF_CODE)
    assert len(EXPECTED) == 16


@pytest.mark.parametrize("code", list(Code))
def test_each_code_becomes_its_status_and_a_whole_document(code: Code) -> None:
    status, headers, body = answer(ERROR_OF_CODE[code]("some_reason", "Do this instead."))
    assert status == body["status"] == EXPECTED[code]
    assert headers["content-type"] == "application/problem+json"
    assert headers["cache-control"] == "no-store"
    assert body == {
        "type": "urn:echosenseix:problem:some_reason",
        "title": TITLES[status],
        "status": status,
        "detail": "Do this instead.",
        "instance": "/api/agents/agt_1",
        "code": "some_reason",
        "requestId": "req_1",
        "errors": [],
    }


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("stale_version", 412),
        ("out_of_credit", 402),
        ("invalid_cursor", 400),
        ("page_out_of_range", 400),
        ("invalid_query", 400),
        ("idempotency_key_required", 400),
        ("idempotency_key_reused", 422),
        ("payload_too_large", 413),
        ("unsupported_media_type", 415),
        ("provider_failed", 502),
        ("webhook_payload_invalid", 400),
        ("method_not_allowed", 405),
        ("range_not_satisfiable", 416),
    ],
)
def test_some_reasons_have_a_status_of_their_own_whatever_the_code(reason: str, status: int) -> None:
    for kind in (FailedPrecondition, InvalidArgument):
        assert refusal_of(kind(reason, "…")).status == status


def test_every_status_that_can_be_answered_has_a_title() -> None:
    assert {*STATUS_OF_CODE.values(), *STATUS_OF_REASON.values()} <= set(TITLES)


def test_what_is_no_app_error_tells_nothing_of_itself() -> None:
    status, _, body = answer(ZeroDivisionError("postgres://user:secret@10.0.0.1/db"))
    assert (status, body["code"]) == (500, "internal")
    assert "secret" not in json.dumps(body)


def test_violations_come_as_pointers() -> None:
    error = InvalidArgument("validation_failed", "…", violations=[Violation("#/a/0/b", "too_long", "At most 5.")])
    assert answer(error)[2]["errors"] == [{"pointer": "#/a/0/b", "code": "too_long", "detail": "At most 5."}]


def test_401_challenges_and_tells_a_wrong_credential_from_none() -> None:
    error = ERROR_OF_CODE[Code.UNAUTHENTICATED]("unauthenticated", "Sign in.")
    assert answer(error)[1]["www-authenticate"] == 'Bearer realm="echosenseix"'
    assert 'error="invalid_token"' in answer(error, signed_in=True)[1]["www-authenticate"]


def test_retry_after_is_whole_seconds_and_never_missing_on_503() -> None:
    assert answer(Unavailable("service_unavailable", "…", retry_after=0.2))[1]["retry-after"] == "1"
    assert answer(Unavailable("service_unavailable", "…", retry_after=2.1))[1]["retry-after"] == "3"
    assert answer(Unavailable("service_unavailable", "…"))[1]["retry-after"] == "1"
    assert "retry-after" not in answer(InvalidArgument("validation_failed", "…"))[1]


def test_allow_and_content_range_stand_beside_their_statuses() -> None:
    refused: AppError = ERROR_OF_CODE[Code.UNIMPLEMENTED](
        "method_not_allowed", "…", metadata={"allow": "GET, HEAD, OPTIONS"}
    )
    assert answer(refused)[1]["allow"] == "GET, HEAD, OPTIONS"
    outside = ERROR_OF_CODE[Code.OUT_OF_RANGE]("range_not_satisfiable", "…", metadata={"size": "10"})
    assert answer(outside)[1]["content-range"] == "bytes */10"
