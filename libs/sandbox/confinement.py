"""The layers around a template and around each call, each as far as the kernel and the user's rights allow.

Template, after its imports: no network (its own empty namespace), its own unprivileged user, no new privileges, read
access to installed code alone. Call, after the fork: limits of memory, processor time and files, death with the
template, a domain of its own, and a system-call filter that leaves it computation.
"""

import ctypes
import os
import resource
import signal
import sys
import sysconfig
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from libs.sandbox import landlock, seccomp
from libs.sandbox.limits import Limits

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_CLONE_NEWNET, _CLONE_NEWIPC, _CLONE_NEWUSER = 0x40000000, 0x08000000, 0x10000000
# Users of templates: far above those that systems give out, one each, so that a template shares files, signals and
# process limits with nothing else.
_FIRST_USER = 1_900_000_000
_NOBODY = 65_534
_MOST_TASKS = 512
_SYSTEM_CODE = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/usr/share/zoneinfo", "/dev/urandom")
_ROOM_TO_REPORT = 32 << 20

_libc = ctypes.CDLL(None, use_errno=True)


def confine_template(parent: int, readable: Iterable[Path]) -> dict[str, str]:
    """Gives up what calls never need; answers each layer with what took effect."""
    layers = {"network": _leave_network(), "user": _leave_user(), "files": "unrestricted", "calls": "unfiltered"}
    die_with(parent)  # a change of user takes the signal of the parent's death away
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if landlock.abi(_libc):
        landlock.restrict_to(_libc, (*_code_folders(), *readable))
        layers["files"] = f"landlock {landlock.abi(_libc)}"
    if seccomp.supported():
        layers["calls"] = "filtered"
    return layers


def confine_call(limits: Limits, template: int, mapped_bytes: int) -> None:
    """`template` is the process that forked this one, `mapped_bytes` the address space that it had then."""
    os.setsid()
    die_with(template)
    os.nice(5)
    memory = mapped_bytes + (limits.memory_mb << 20)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory + _ROOM_TO_REPORT))
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_seconds, limits.cpu_seconds + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if landlock.abi(_libc):
        landlock.separate(_libc)
    if seccomp.supported():
        seccomp.apply(_libc)


def room_to_report() -> None:
    """After memory ran out: a little more, to say so."""
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))


def die_with(parent: int) -> None:
    """This process ends when `parent` does, whatever ends it; at once when `parent`, known from before, is gone."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def _leave_network() -> str:
    """An empty network namespace; without the right to one the filter still refuses sockets."""
    if os.geteuid() == 0:
        return "namespace" if _libc.unshare(_CLONE_NEWNET | _CLONE_NEWIPC) == 0 else "filter"
    return "namespace" if _libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0 else "filter"


def _leave_user() -> str:
    """From root to a user of its own, unless that user could not read the installed code any more."""
    if os.geteuid() != 0:
        return "caller's"
    if not all(_open_to_others(folder) for folder in _code_folders()):
        _drop_capabilities()
        return "root without capabilities"
    for user in (_FIRST_USER + os.getpid(), _NOBODY):
        with suppress(OSError):
            os.setgroups([])
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
            resource.setrlimit(resource.RLIMIT_NPROC, (_MOST_TASKS, _MOST_TASKS))
            return "own"
    _drop_capabilities()
    return "root without capabilities"


def _drop_capabilities() -> None:
    """All of them, by capset(2) with empty sets."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    empty = (ctypes.c_uint32 * 6)()
    if _libc.capset(header, empty) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def _open_to_others(folder: Path) -> bool:
    """Whether a user of no group may walk to it."""
    return all(path.stat().st_mode & 0o001 for path in (folder, *folder.parents) if path.is_dir())


def _code_folders() -> list[Path]:
    """Where the modules that this process has loaded come from, the standard library and the shared libraries."""
    packages = {name.partition(".")[0] for name in sys.modules}
    homes = [home for name in packages for home in getattr(sys.modules.get(name), "__path__", ())]
    standard = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    found = (Path(home).resolve() for home in (*homes, *standard, *_SYSTEM_CODE))
    return sorted({path for path in found if path.exists()})
