"""What every log line and outgoing call of the current task carries: the request id and the W3C trace context.

Only context variables: importable by anything, at no cost.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

request_id_var: ContextVar[str] = ContextVar("request_id", default="")
traceparent_var: ContextVar[str] = ContextVar("traceparent", default="")


def current_request_id() -> str:
    """The id of the request that this task serves; empty outside a request."""
    return request_id_var.get()


@contextmanager
def bind_request_id(request_id: str) -> Iterator[None]:
    """Everything inside logs and calls under this request id."""
    token = request_id_var.set(request_id)
    try:
        yield
    finally:
        request_id_var.reset(token)
