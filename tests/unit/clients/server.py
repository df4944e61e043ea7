"""A real HTTP server that gives the answers it was told to, in their order, and keeps what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Answer:
    """Status None closes the connection without an answer."""

    status: int | None = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Told:
    """The server's side: what comes next, and what came."""

    url: str
    answers: list[Answer]
    asked: list[Asked] = field(default_factory=list)


def problem(status: int, code: str, **headers: str) -> Answer:
    body = {
        "type": f"urn:echosenseix:problem:{code}", "title": "", "status": status, "detail": "Do it again.",
        "instance": "/", "code": code, "requestId": "req_1", "errors": [],
    }  # fmt: skip
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, body, {"Content-Type": "application/problem+json", **fields})


@contextmanager
def server(*answers: Answer) -> Iterator[Told]:
    """The last answer is repeated."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            chunked = self.headers.get("transfer-encoding") == "chunked"
            body = b"".join(self._chunks()) if chunked else self.rfile.read(length)
            told.asked.append(Asked(self.command, self.path, dict(self.headers.items()), body))
            answer = told.answers.pop(0) if len(told.answers) > 1 else told.answers[0]
            if answer.status is None:
                self.close_connection = True
                return
            content = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _chunks(self) -> Iterator[bytes]:
            while size := int(self.rfile.readline(), 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()

        do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told = Told(f"http://127.0.0.1:{running.server_port}", list(answers))
    thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield told
    finally:
        running.shutdown()
        running.server_close()
        thread.join()
