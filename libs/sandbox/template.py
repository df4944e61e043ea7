"""The template process: `python -m libs.sandbox.template <parent> <control fd> <order>`; the parent starts it.

Imports the modules it is told, confines itself and then forks once for each call that arrives on its control socket.
It reads nothing that a call reads or writes. What ends a call is told on the same socket.
"""

import gc
import importlib
import os
import resource
import select
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from libs import memory
from libs.sandbox import confinement, frames
from libs.sandbox.limits import Limits

_MESSAGE = 4096
_CALL_DESCRIPTORS = 2


def main(parent: int, control_fd: int, order: str) -> None:
    confinement.die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the parent's to handle
    settings = msgspec.json.decode(order.encode())
    for name in settings["preload"]:
        importlib.import_module(name)
    for name in settings["warm"]:
        _function(name)()
    memory_map = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    layers = confinement.confine_template(parent, [Path(path) for path in settings["readable"]])
    gc.collect()
    memory.give_back()
    gc.freeze()  # pages that the collector does not touch stay shared with the calls
    with socket.socket(fileno=control_fd) as control:
        control.send(frames.pack("ready", layers))
        _Template(control, memory_map).serve()


class _Template:
    def __init__(self, control: socket.socket, memory_map: int) -> None:
        self._control = control
        self._memory_map = memory_map
        self._pids: dict[int, int] = {}  # pidfd → pid
        self._numbers: dict[int, int] = {}  # pid → the caller's number of the call
        self._poller = select.poll()
        self._poller.register(control.fileno(), select.POLLIN)

    def serve(self) -> None:
        while True:
            for ready, _ in self._poller.poll():
                if ready in self._pids:
                    self._reap(ready)
                elif not self._handle():
                    return

    def _handle(self) -> bool:
        message, descriptors, _, _ = socket.recv_fds(self._control, _MESSAGE, _CALL_DESCRIPTORS)
        if not message:
            return False
        verb, number, *values = frames.unpack(message[frames.HEADER.size :])
        if verb == "kill":
            for pid in [pid for pid, known in self._numbers.items() if known == number]:
                os.kill(pid, signal.SIGKILL)
        else:
            self._fork(number, Limits(*values), descriptors)
        return True

    def _fork(self, number: int, limits: Limits, descriptors: list[int]) -> None:
        mapped = int(os.pread(self._memory_map, 64, 0).split()[0]) * resource.getpagesize()
        template, pid = os.getpid(), os.fork()
        if pid == 0:
            _serve_call(limits, template, mapped, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        pidfd = os.pidfd_open(pid)
        self._pids[pidfd] = pid
        self._numbers[pid] = number
        self._poller.register(pidfd, select.POLLIN)

    def _reap(self, pidfd: int) -> None:
        pid = self._pids.pop(pidfd)
        self._poller.unregister(pidfd)
        os.close(pidfd)
        _, status, used = os.wait4(pid, 0)
        cpu = used.ru_utime + used.ru_stime
        number = self._numbers.pop(pid)
        self._control.send(frames.pack("ended", number, os.waitstatus_to_exitcode(status), cpu, used.ru_maxrss))


def _serve_call(limits: Limits, template: int, mapped_bytes: int, descriptors: list[int]) -> NoReturn:
    """The child's side: confine, read the call, answer. Never returns to the template's loop, and runs no exit handler
    of a library that the template loaded."""
    try:
        os.dup2(descriptors[0], 3)
        attachment = len(descriptors) > 1
        if attachment:
            os.dup2(descriptors[1], 4)
        os.dup2(1, 2)  # what a library prints may hold the document's text
        os.closerange(5 if attachment else 4, 1 << 16)
        confinement.confine_call(limits, template, mapped_bytes)
        with open(3, "rb", buffering=0, closefd=False) as source:
            name, args = frames.read(source)
        _answer(name, [*([4] if attachment else []), *args])
    finally:
        os._exit(1)


def _answer(name: str, args: list[Any]) -> None:
    try:
        answer = _function(name)(*args, **_reporting(name))
        if isinstance(answer, Iterator):
            for value in answer:
                _say("value", value)
            answer = None
        _say("result", answer)
    except (MemoryError, RecursionError):
        confinement.room_to_report()
        _say("limit", "memory")
    except Exception as error:
        reason = getattr(error, "reason", None)
        if isinstance(reason, str):
            _say("refused", reason, str(getattr(error, "detail", "")))
        else:
            _say("failed", type(error).__name__)
    os._exit(0)


def _function(name: str) -> Callable[..., Any]:
    module, _, attribute = name.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    return found


def _reporting(name: str) -> dict[str, Any]:
    code = getattr(_function(name), "__code__", None)
    if code is None or "progress" not in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]:
        return {}
    return {"progress": lambda percent, note="": _say("progress", percent, note)}


def _say(*message: Any) -> None:
    data = memoryview(frames.pack(*message))
    while data:
        data = data[os.write(3, data) :]


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
