"""Landlock: the paths a process may still read, and a wall between it and the processes outside.

Works without any privilege (kernel 5.13; network rules from ABI 4, signals from ABI 6). Structures and constants are
those of <linux/landlock.h>; the system calls have one number on every architecture.
"""

import ctypes
import os
import struct
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446
_VERSION_FLAG, _RULE_PATH_BENEATH = 1, 1
_EXECUTE, _READ_FILE, _READ_DIR = 1, 4, 8
_READ = _EXECUTE | _READ_FILE | _READ_DIR
# How many file rights each ABI knows; all of them are denied unless a rule grants them.
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_CONNECT_AND_BIND = 3
_ABSTRACT_SOCKETS_AND_SIGNALS = 3


def abi(libc: ctypes.CDLL) -> int:
    """The kernel's Landlock version, 0 where there is none."""
    version: int = libc.syscall(_CREATE, None, ctypes.c_size_t(0), _VERSION_FLAG)
    return max(0, version)


def restrict_to(libc: ctypes.CDLL, readable: Iterable[Path]) -> None:
    """The caller may read below these paths, and neither write, connect nor signal outside. Raises OSError."""
    version = abi(libc)
    rights = (1 << _FILE_RIGHTS[min(version, max(_FILE_RIGHTS))]) - 1
    ruleset = _ruleset(libc, version, rights)
    try:
        for path in readable:
            with suppress(FileNotFoundError, NotADirectoryError):
                _allow(libc, ruleset, path)
        _enter(libc, ruleset)
    finally:
        os.close(ruleset)


def separate(libc: ctypes.CDLL) -> None:
    """A domain of its own inside the present one: its process cannot trace or signal its siblings. Raises OSError."""
    ruleset = _ruleset(libc, abi(libc), _EXECUTE)
    try:
        _enter(libc, ruleset)
    finally:
        os.close(ruleset)


def _ruleset(libc: ctypes.CDLL, version: int, rights: int) -> int:
    fields = [rights]
    if version >= 4:
        fields.append(_CONNECT_AND_BIND)
    if version >= 6:
        fields.append(_ABSTRACT_SOCKETS_AND_SIGNALS)
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    return _checked(libc.syscall(_CREATE, attributes, ctypes.c_size_t(len(attributes)), 0))


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rights = _READ if path.is_dir() else _READ_FILE
        rule = struct.pack("=Qi", rights, descriptor)
        _checked(libc.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, 0))
    finally:
        os.close(descriptor)


def _enter(libc: ctypes.CDLL, ruleset: int) -> None:
    _checked(libc.syscall(_RESTRICT, ruleset, 0))


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), "landlock")
    return result
