"""What hostile input would try once it runs as code. Each function runs in the sandbox and answers how far it came."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

SECRET = "the text of another document"
_kept: list[str] = []


def attempt(*names: str) -> dict[str, str]:
    return {name: _outcome(name) for name in names}


def _outcome(name: str) -> str:
    try:
        return str(_ATTEMPTS[name]())
    except OSError as error:
        return type(error).__name__


def _fork() -> str:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    return "forked"


def _shared_memory_of(pid: int) -> bytes:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(16, pid, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")
    return b"traced"


def _clear_death_signal() -> str:
    if ctypes.CDLL(None, use_errno=True).prctl(1, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    return "cleared"


def _become_root() -> str:
    os.setuid(0)
    Path("/etc/shadow").read_text()
    return "root"


_ATTEMPTS = {
    "tcp": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
    "unix": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
    "netlink": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "fork": _fork,
    "exec": lambda: os.execv("/bin/true", ["true"]),
    "spawn": lambda: subprocess.run(["/bin/true"], check=False),
    "kill_template": lambda: os.kill(os.getppid(), 0),
    "trace_template": lambda: _shared_memory_of(os.getppid()),
    "clear_death_signal": _clear_death_signal,
    "passwords": lambda: Path("/etc/passwd").read_text(),
    "template_environment": lambda: Path(f"/proc/{os.getppid()}/environ").read_text(),
    "processes": lambda: os.listdir("/proc"),
    "write_temporary": lambda: Path("/tmp/owned").write_text("owned"),
    "write_memory": lambda: Path("/dev/shm/owned").write_text("owned"),
    "write_code": lambda: Path(os.__file__).with_name("owned.py").write_text("owned"),
    "remove_code": lambda: Path(os.__file__).unlink(),
    "become_root": _become_root,
}


def read(paths: list[str]) -> dict[str, str]:
    found = {}
    for path in paths:
        try:
            found[path] = Path(path).read_bytes().decode("utf-8", "replace")[:200]
        except OSError as error:
            found[path] = type(error).__name__
    return found


def environment() -> dict[str, str]:
    return dict(os.environ)


def memory_bomb() -> int:
    hoard = []
    while True:
        hoard.append(bytearray(16 << 20))


def memory_bomb_in_c() -> int:
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    taken = 0
    while address := libc.malloc(ctypes.c_size_t(16 << 20)):
        ctypes.memset(address, 1, 16 << 20)
        taken += 16
    return taken


def fork_bomb() -> int:
    made = 0
    for _ in range(2000):
        with contextlib.suppress(OSError):
            if os.fork() == 0:
                time.sleep(60)
                os._exit(0)
            made += 1
    return made


def thread_bomb() -> int:
    threads = []
    try:
        for _ in range(20_000):
            thread = threading.Thread(target=time.sleep, args=(60,), daemon=True)
            thread.start()
            threads.append(thread)
    except RuntimeError:
        pass
    return len(threads)


def spin() -> None:
    while True:
        pass


def sleep_ignoring_signals(seconds: float) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    time.sleep(seconds)


def lie() -> None:
    """Answers that are none: a frame of four gigabytes, an unknown verb, a value that is no message."""
    os.write(3, b"\xff\xff\xff\xff")


def babble() -> None:
    os.write(3, b"\x00\x00\x00\x02\xc1\xc1")


def flood() -> str:
    return "x" * (9 << 20)


def keep(text: str) -> int:
    _kept.append(text)
    sys.modules[__name__].__dict__["left_behind"] = text
    return len(_kept)


def remembered() -> list[object]:
    return [list(_kept), globals().get("left_behind")]


def descriptors() -> list[str]:
    found = []
    for number in range(256):
        with contextlib.suppress(OSError):
            os.fstat(number)
            found.append(str(number))
    return found


def pid() -> int:
    return os.getpid()
