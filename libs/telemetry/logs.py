"""Logs: one JSON object a line on standard output, with the request and trace it belongs to.

Whatever is given in `extra=` becomes a field of the object (not under a name that LogRecord has: name, args, process).
Secrets are masked on the way (libs.telemetry.redaction).
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

from libs.clock import rfc3339_ms
from libs.context import current_call
from libs.telemetry import redaction
from libs.telemetry.traces import traceparent_var

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
_QUIET = ("asyncio", "grpc", "nats", "opentelemetry", "httpx", "httpcore", "hpack")


class JsonFormatter(logging.Formatter):
    """One record as one line of JSON; never raises, never writes a secret."""

    def __init__(self, service: str, instance: str) -> None:
        super().__init__()
        self._service = service
        self._instance = instance

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "time": rfc3339_ms(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "service": self._service,
            "instance": self._instance,
            "logger": record.name,
            "message": redaction.text(self._message(record)),
        }
        fields.update(_correlation())
        for name, content in vars(record).items():
            if name not in _STANDARD and name not in fields:
                fields[name] = redaction.value(name, content)
        if record.exc_info:
            fields["exception"] = redaction.text(self.formatException(record.exc_info))
        return json.dumps(fields, ensure_ascii=False, default=str)

    @staticmethod
    def _message(record: logging.LogRecord) -> str:
        try:
            return record.getMessage()
        except (TypeError, ValueError):
            return f"{record.msg} {record.args}"


def _correlation() -> dict[str, str]:
    fields = {}
    if request_id := current_call().request_id:
        fields["requestId"] = request_id
    if traceparent := traceparent_var.get():
        _, fields["traceId"], fields["spanId"], _ = traceparent.split("-", 3)
    return fields


def setup(service: str, instance: str, level: str, stream: TextIO | None = None) -> None:
    """All logging of this process goes through one JSON handler. Verbose libraries log from WARNING."""
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(JsonFormatter(service, instance))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)
