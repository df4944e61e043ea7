import io
import json
import logging
from collections.abc import Iterator

import pytest

from libs.context import CallContext, serving
from libs.telemetry import logs, use_traceparent


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    written = io.StringIO()
    logs.setup("agent", "agent-1", "info", written)
    yield written
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


def _only_line(stream: io.StringIO) -> dict[str, object]:
    (line,) = stream.getvalue().splitlines()
    fields: dict[str, object] = json.loads(line)
    return fields


def test_a_line_is_one_json_object(stream: io.StringIO) -> None:
    logging.getLogger("x").warning("two\nlines of %s", "text", extra={"jobId": "job_1", "count": 2})
    line = _only_line(stream)
    assert line["message"] == "two\nlines of text"
    assert (line["level"], line["service"], line["instance"], line["logger"]) == ("warning", "agent", "agent-1", "x")
    assert (line["jobId"], line["count"]) == ("job_1", 2)
    assert str(line["time"]).endswith("Z")


def test_a_line_names_its_request_and_trace(stream: io.StringIO) -> None:
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with serving(CallContext(request_id="req_1")), use_traceparent(traceparent):
        logging.getLogger("x").info("inside")
    line = _only_line(stream)
    assert line["requestId"] == "req_1"
    assert line["traceId"] == "0af7651916cd43dd8448eb211c80319c"
    assert line["spanId"] == "b7ad6b7169203331"


def test_no_secret_leaves_by_message_field_or_traceback(stream: io.StringIO) -> None:
    canary = "canary-Zq7x9Lm2Kp4R"
    try:
        raise ValueError(f"postgres://u:{canary}@127.0.0.1/x")
    except ValueError:
        logging.getLogger("x").exception(
            "failed with password=%s", canary, extra={"apiKey": canary, "body": {"secret": canary}}
        )
    assert canary not in stream.getvalue()
    assert "ValueError" in stream.getvalue()


def test_a_wrong_number_of_arguments_loses_no_line() -> None:
    record = logging.LogRecord("x", logging.INFO, "file", 1, "only %s", (1, 2), None)
    line = json.loads(logs.JsonFormatter("agent", "agent-1").format(record))
    assert line["message"] == "only %s (1, 2)"


def test_chatty_libraries_speak_from_warning(stream: io.StringIO) -> None:
    logging.getLogger("nats").info("chatter")
    logging.getLogger("x").debug("detail")
    assert stream.getvalue() == ""
