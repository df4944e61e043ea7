"""uvicorn's HTTP protocol with limits at the socket, the same for every public listener.

Bytes that are not body (head, chunk framing, trailers) share a budget of bytes and of time. Trailers are dropped.
A client that does not take its answer is cut.
Refusals made here, before a request exists, are plain text; everything after the head is the application's.
"""

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from libs.http import request_head
from libs.http.connection_limits import ConnectionLimits
from libs.http.new_requests import NewRequests
from libs.http.response_cycle import ResponseCycle

# How long a client may continue to send a body after the response.
_LEFTOVER_SECONDS = 10.0
# Chunk framing is a share of an honest body: 1 KiB chunks cost less than one byte in a hundred.
_FRAMING_SHARE = 8
# Bytes of chunk framing and trailers that any body may have, whatever its size.
_FRAMING_BYTES = 1024 * 1024
# The parser joins the pieces of one header, so that its work grows with their number: feed it few bytes at a time and
# check the budget between them.
_SLICE_BYTES = 16 * 1024
# Bytes that wait for their turn. Longer: a client that sends fast holds more memory.
_HELD_BYTES = 64 * 1024
# How long a client may take nothing of an answer that waits for it. Longer: clients that do not read hold more memory.
_WRITE_SECONDS = 20.0
# Bytes that it must take in that time. A connection slower than 512 bytes a second cannot be told from an attack.
_WRITE_BYTES = 10 * 1024

AnswerNow = Callable[[Any], tuple[int, bytes, bytes] | None]


class GuardedProtocol(HttpToolsProtocol):
    """One connection. `limits` and `new_requests` are shared by all connections of a listener."""

    def __init__(self, limits: ConnectionLimits, new_requests: NewRequests, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self._limits = limits
        self._new_requests = new_requests
        # What arrived of a request that waits for its turn.
        self._held = b""
        # An application may answer a request before a task is made for it: its status, the lines of its head
        # and its body.
        self._answer_now: AnswerNow | None = getattr(self.app, "answer_now", None)
        self._counted: str | None = None
        self._in_head = True
        self._head_begun = False
        self._receiving = False
        self._framing_bytes = 0
        self._body_bytes = 0
        # When the connection became idle (the loop's time); None while a request arrives or is answered.
        self._idle_since: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        address = self.client[0] if self.client else ""
        if not self._limits.take(address):
            self._refuse(request_head.TOO_MANY)
            return
        self._counted = address
        self._arm(request_head.HEADER_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        self._stop_watching_writes()
        if self._counted is not None:
            self._limits.release(self._counted)
            self._counted = None
        super().connection_lost(exc)
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None

    def data_received(self, data: bytes) -> None:
        if self._held:
            self._held += data
            if len(self._held) > _HELD_BYTES:
                self._take_held()
        elif self._in_head and not self._head_begun and not self._is_answering():
            self._held = data
            self._unset_keepalive_if_required()
            self._new_requests.take(self._take_held)
        else:
            self._take(data)

    def _take_held(self) -> None:
        held, self._held = self._held, b""
        try:
            self._take(held)
        except BaseException:
            self.transport.abort()
            raise

    def _take(self, data: bytes) -> None:
        for start in range(0, len(data), _SLICE_BYTES):
            if self.transport.is_closing():
                return
            self._feed(data if len(data) <= _SLICE_BYTES else data[start : start + _SLICE_BYTES])
        # A head that came whole, as nearly all do, needs no timer.
        if self._in_head and self._timer is None and (self._head_begun or not self._is_answering()):
            self._arm(request_head.HEADER_SECONDS)

    def _feed(self, piece: bytes) -> None:
        before, was_in_head = self._body_bytes, self._in_head
        # The callbacks reset the counts when a message begins or ends in this piece.
        self._framing_bytes += len(piece)
        super().data_received(piece)
        if self.transport.is_closing():
            return
        body = max(0, self._body_bytes - before)
        self._framing_bytes = max(0, self._framing_bytes - body)
        if self._framing_bytes > self._framing_budget():
            self._refuse(request_head.TOO_LARGE)
        elif self._receiving and not self._in_head and not was_in_head:
            # The wait for a body's first byte is the application's: it answers 408.
            self._time_framing(body)

    def _framing_budget(self) -> int:
        return min(request_head.HEADER_BYTES + self._body_bytes // _FRAMING_SHARE, _FRAMING_BYTES)

    def _time_framing(self, body: int) -> None:
        """Run the clock from the first piece without body until body comes again."""
        if self.cycle.response_complete:
            return
        if body:
            self._disarm()
        elif self._timer is None:
            self._arm(request_head.HEADER_SECONDS)

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def on_message_begin(self) -> None:
        self._receiving = True
        self._head_begun = True
        self._body_bytes = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            # A trailer. Merged into the headers it could replace what a proxy or the authentication relies on.
            return
        if len(self.headers) >= request_head.HEADER_COUNT:
            raise ValueError("too many headers")
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        hosts = [value for name, value in self.headers if name == b"host"]
        version = self.parser.get_http_version()
        request_head.check_head(version, hosts)
        self._in_head = self._head_begun = False
        self._framing_bytes = 0
        self._disarm()
        self._complete_scope(version)
        if not (self.parser.should_upgrade() and self._should_upgrade()):
            self._begin_cycle(version)

    def _complete_scope(self, version: str) -> None:
        url = httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        self.scope["method"] = self.parser.get_method().decode("ascii")
        self.scope["http_version"] = version
        self.scope["path"] = unquote(path) if "%" in path else path
        self.scope["raw_path"] = url.path
        self.scope["query_string"] = url.query or b""

    def _begin_cycle(self, version: str) -> None:
        """As uvicorn does, with our cycle."""
        before = self.cycle
        self.cycle = cycle = ResponseCycle(
            self.loop,
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        if before is None or before.response_complete:
            if not self._is_answered_now(cycle):
                self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def _is_answered_now(self, cycle: ResponseCycle) -> bool:
        if self._answer_now is None or not cycle.keep_alive or self.flow.write_paused:
            return False
        found = self._answer_now(self.scope)
        if found is None:
            return False
        cycle.write_now(*found)
        return True

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._receiving = False
        self._in_head = True
        self._framing_bytes = 0
        self._disarm()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if not self.transport.is_closing():
            self.flow.resume_reading()
            if self.pipeline:
                cycle, app = self.pipeline.pop()
                self._start_asgi_task(cycle, app)
            else:
                self._idle()
        if self._receiving:
            self._arm(_LEFTOVER_SECONDS)

    def _idle(self) -> None:
        """One timer a connection, not one a response: it looks whether the connection has been idle for so long."""
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _unset_keepalive_if_required(self) -> None:
        """uvicorn calls this when data arrive and when the connection is lost."""
        self._idle_since = None

    def timeout_keep_alive_handler(self) -> None:
        self.timeout_keep_alive_task = None
        if self._idle_since is None:
            return
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self.timeout_keep_alive_task = self.loop.call_later(left, self.timeout_keep_alive_handler)
        elif not self.transport.is_closing():
            self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_writes()

    def resume_writing(self) -> None:
        self._stop_watching_writes()
        super().resume_writing()

    def _watch_writes(self) -> None:
        waiting = self._waiting_bytes()
        self._write_timer = self.loop.call_later(_WRITE_SECONDS, self._check_writes, waiting)

    def _check_writes(self, before: int) -> None:
        """Nothing is added while writing is paused, so that the difference is what the client took."""
        if before - self._waiting_bytes() < _WRITE_BYTES:
            self.transport.abort()
        else:
            self._watch_writes()

    def _waiting_bytes(self) -> int:
        return int(self.transport.get_write_buffer_size())

    def _stop_watching_writes(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def shutdown(self) -> None:
        """Begin what has arrived, so that it is answered before the connection is closed."""
        self._take_held()
        super().shutdown()

    def send_400_response(self, msg: str) -> None:
        self._refuse(request_head.BAD_REQUEST)

    def _refuse(self, answer: bytes) -> None:
        """Answer and close; only close where the bytes would land inside or before the answer to another request."""
        if not self._is_answering() or not (self._in_head or self.cycle.response_started):
            status, fields = answer.split(b"\r\n", 1)
            own = [b"%b: %b" % field for field in self.server_state.default_headers]
            self.transport.write(b"\r\n".join((status, *own, fields)))
        self.transport.close()

    def _arm(self, seconds: float) -> None:
        self._disarm()
        self._timer = self.loop.call_later(seconds, self._cut)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _cut(self) -> None:
        self._timer = None
        self.transport.close()
