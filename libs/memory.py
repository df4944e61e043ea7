"""Memory that the process has freed and the allocator keeps."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress


def give_back() -> None:
    """Returns freed heap to the system, where that is glibc's: what loading leaves behind it keeps otherwise."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
