from libs.errors import ERROR_OF_CODE, AppError, Code, NotFound, Violation


def test_every_code_has_exactly_one_error() -> None:
    assert set(ERROR_OF_CODE) == set(Code)
    assert len({code.value for code in Code}) == 16
    assert all(kind.code is code for code, kind in ERROR_OF_CODE.items())


def test_error_keeps_what_it_was_given() -> None:
    violation = Violation("#/name", "required", "Give a name.")
    error = NotFound("agent_not_found", "No such agent.", violations=[violation], metadata={"a": "b"}, retry_after=2)
    assert isinstance(error, AppError)
    assert (error.reason, error.detail) == ("agent_not_found", "No such agent.")
    assert error.violations == (violation,)
    assert error.metadata == {"a": "b"}
    assert error.retry_after == 2
    assert str(error) == "NOT_FOUND agent_not_found: No such agent."
