"""A system-call filter (seccomp-bpf) for a process that only computes: what is not listed answers EPERM.

Written as a classic BPF program through prctl(2); see seccomp(2) and the kernel's Documentation/userspace-api/
seccomp_filter.rst. No sockets, no processes, no signals to others, no files opened for writing.
"""

import ctypes
import os
import platform
import struct
from collections.abc import Iterator

_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_NUMBER_AT, _ARCH_AT, _ARGS_AT = 0, 4, 16
_CLONE_THREAD = 0x10000
_OPENS_FOR_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_PR_SET_PDEATHSIG = 1

# Numbers from <asm/unistd.h>: (audit architecture, calls that are plainly allowed, calls whose arguments are read).
_X86_64 = (
    0xC000003E,
    # read write close fstat poll lseek mmap mprotect munmap brk rt_sig* ioctl pread64 readv writev access select
    "0 1 3 5 7 8 9 10 11 12 13 14 15 16 17 19 20 21 23 "
    # sched_yield mremap mincore madvise dup nanosleep getpid socketpair exit uname fcntl getcwd readlink
    "24 25 27 28 32 35 39 53 60 63 72 79 89 "
    # gettimeofday getrlimit getrusage sysinfo times getuid getgid geteuid getegid getppid sigaltstack
    "96 97 98 99 100 102 104 107 108 110 131 "
    # sched_getparam sched_getscheduler arch_prctl gettid time futex sched_getaffinity getdents64 set_tid_address
    "143 145 158 186 201 202 204 217 218 "
    # restart_syscall clock_* exit_group epoll_wait epoll_ctl newfstatat readlinkat faccessat pselect6 ppoll
    "219 228 229 230 231 232 233 262 267 269 270 271 "
    # set_robust_list get_robust_list epoll_pwait eventfd2 epoll_create1 dup3 pipe2 getcpu getrandom membarrier
    "273 274 281 290 291 292 293 309 318 324 "
    # statx rseq faccessat2 futex_waitv
    "332 334 439 449",
    {
        "clone": 56,
        "clone3": 435,
        "tgkill": 234,
        "prctl": 157,
        "prlimit64": 302,
        "openat": 257,
        "open": 2,
        "sendto": 44,
        "recvfrom": 45,
    },
)
_AARCH64 = (
    0xC00000B7,
    # getcwd eventfd2 epoll_* dup dup3 fcntl ioctl faccessat close pipe2 getdents64 lseek read write readv writev pread
    "17 19 20 21 22 23 24 25 29 48 57 59 61 62 63 64 65 66 67 "
    # pselect6 ppoll readlinkat newfstatat fstat exit exit_group set_tid_address futex robust lists nanosleep clock_*
    "72 73 78 79 80 93 94 96 98 99 100 101 113 114 115 "
    # sched_* restart_syscall sigaltstack rt_sig* times uname getrlimit getrusage getcpu gettimeofday getpid .. sysinfo
    "120 121 123 124 128 132 134 135 139 153 160 163 165 168 169 172 173 174 175 176 177 178 179 "
    # socketpair brk munmap mremap mmap mprotect mincore madvise getrandom membarrier statx rseq faccessat2 futex_waitv
    "199 214 215 216 222 226 232 233 278 283 291 293 439 449",
    {
        "clone": 220,
        "clone3": 435,
        "tgkill": 131,
        "prctl": 167,
        "prlimit64": 261,
        "openat": 56,
        "sendto": 206,
        "recvfrom": 207,
    },
)
_ARCHITECTURES = {"x86_64": _X86_64, "aarch64": _AARCH64}


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def supported() -> bool:
    return platform.machine() in _ARCHITECTURES


def apply(libc: ctypes.CDLL) -> None:
    """Filters the calling thread and what it starts, for good. Needs no_new_privs. Raises OSError."""
    code = b"".join(_instructions(os.getpid()))
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(code) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    if libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "seccomp")


def _instructions(pid: int) -> Iterator[bytes]:
    architecture, plain, special = _ARCHITECTURES[platform.machine()]
    deny = _ERROR | _EPERM
    yield _op(_LOAD, _ARCH_AT)
    yield _op(_EQUAL, architecture, 1, 0)
    yield _op(_RETURN, _KILL)
    yield _op(_LOAD, _NUMBER_AT)
    yield from _rule(special["clone"], 0, _op(_ANY_BIT, _CLONE_THREAD, 1, 0), deny)
    yield from _rule(special["tgkill"], 0, _op(_EQUAL, pid, 1, 0), deny)
    yield from _rule(special["prlimit64"], 0, _op(_EQUAL, 0, 1, 0), deny)
    yield from _rule(special["prctl"], 0, _op(_EQUAL, _PR_SET_PDEATHSIG, 0, 1), deny)
    yield from _rule(special["openat"], 2, _op(_ANY_BIT, _OPENS_FOR_WRITING, 0, 1), deny)
    # On a pair of sockets that the process made itself: an event loop wakes itself so. None can name an address.
    for name in ("sendto", "recvfrom"):
        yield from _rule(special[name], 4, _op(_EQUAL, 0, 1, 0), deny)
    if "open" in special:
        yield from _rule(special["open"], 1, _op(_ANY_BIT, _OPENS_FOR_WRITING, 0, 1), deny)
    # ENOSYS makes the C library fall back to clone, whose flags a filter can read.
    yield from (_op(_EQUAL, special["clone3"], 0, 1), _op(_RETURN, _ERROR | _ENOSYS))
    for number in map(int, plain.split()):
        yield from (_op(_EQUAL, number, 0, 1), _op(_RETURN, _ALLOW))
    yield _op(_RETURN, deny)


def _rule(number: int, argument: int, allowed: bytes, denied: int) -> Iterator[bytes]:
    """For one call: load an argument, test it; a test that skips the next instruction allows."""
    yield _op(_EQUAL, number, 0, 4)
    yield _op(_LOAD, _ARGS_AT + 8 * argument)
    yield allowed
    yield _op(_RETURN, denied)
    yield _op(_RETURN, _ALLOW)


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, value)
