"""Accepts the connections of a listening socket, many in one turn of the loop.

libuv accepts one connection a turn. Under a flood a turn takes a tenth of a second, because the requests of all
connections are answered in it, and new clients would wait in the kernel's queue until the flood ends.
"""

import asyncio
import errno
import logging
import socket
from collections.abc import Callable

log = logging.getLogger("http.listener")

# Connections accepted in a turn at most. Fewer: new clients wait longer under a flood. More: the others wait longer.
_ACCEPTED = 64
# What the process or the machine has too few of: it may have more in a moment.
_EXHAUSTED = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
# Until it is tried again. Longer: clients wait. Shorter: nothing has ended meanwhile.
_RETRY_SECONDS = 1.0


class Listener:
    """Owns `listening`, a bound stream socket. `factory` makes the protocol of a connection."""

    def __init__(self, listening: socket.socket, factory: Callable[[], asyncio.Protocol], backlog: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = listening
        self._factory = factory
        self._beginning: set[asyncio.Task[object]] = set()
        self._retry: asyncio.TimerHandle | None = None
        listening.setblocking(False)
        listening.listen(backlog)
        self._resume()

    def close(self) -> None:
        """Accept no more. Connections stay."""
        if self._retry is not None:
            self._retry.cancel()
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._socket.close()

    async def wait_closed(self) -> None:
        """Return when every connection that was accepted has its protocol."""
        await asyncio.gather(*self._beginning, return_exceptions=True)

    def _resume(self) -> None:
        self._retry = None
        self._loop.add_reader(self._socket, self._accept)

    def _accept(self) -> None:
        for _ in range(_ACCEPTED):
            try:
                connection, _ = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                log.error("no connection is accepted for a moment", extra={"error": error.strerror})
                self._loop.remove_reader(self._socket)
                self._retry = self._loop.call_later(_RETRY_SECONDS, self._resume)
                return
            connection.setblocking(False)
            task = asyncio.ensure_future(self._loop.connect_accepted_socket(self._factory, connection))
            self._beginning.add(task)
            task.add_done_callback(self._began)

    def _began(self, task: asyncio.Task[object]) -> None:
        self._beginning.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("a connection ended before it began", extra={"error": repr(error)})
