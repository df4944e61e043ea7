"""Exec wrapper of every process the local stack starts: run as a script, it turns itself into the program.

Owns what the kernel must be told before the program runs: die when the parent dies (so that a runner killed with -9
leaves no orphan), and, for programs that refuse to run as root, an unprivileged identity in a user namespace.
Stdlib only and free of other imports of this project, because it is paid at each start.
"""

from __future__ import annotations

import ctypes
import os
import sys

# Numbers of the kernel's interface (linux/sched.h, linux/prctl.h); Python 3.11 has no names for them.
CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
# The user that owns nothing on every Linux; PostgreSQL only checks that it is not 0.
NOBODY = 65534


def enter_user_namespace() -> None:
    """Become `nobody` while the files stay ours: the kernel maps our own uid to 65534 inside the new namespace."""
    uid, gid = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        reason = os.strerror(ctypes.get_errno())
        sys.exit(
            f"PostgreSQL refuses to run as root, and this system allows no user namespace ({reason}). "
            "Run as an ordinary user, or set DATABASE_URL to a server of your own."
        )
    for name, text in (
        # The kernel refuses a gid_map of an ordinary user until setgroups is denied.
        ("setgroups", "deny"),
        ("uid_map", f"{NOBODY} {uid} 1"),
        ("gid_map", f"{NOBODY} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


def die_with(parent: int, death_signal: int) -> None:
    """The kernel sends `death_signal` when the parent's starting thread ends; a parent already gone ends us here."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    # The parent may have died before prctl; the signal would never come then.
    if os.getppid() != parent:
        sys.exit("the process that started this one is gone")


def main(arguments: list[str]) -> None:
    parent, death_signal, as_nobody, *command = arguments
    if as_nobody == "nobody":
        enter_user_namespace()
    die_with(int(parent), int(death_signal))
    os.execv(command[0], command)  # noqa: S606 the whole purpose of this file


if __name__ == "__main__":
    main(sys.argv[1:])
