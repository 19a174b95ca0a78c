"""Gives a thread its own descriptor table.

RLIMIT_NOFILE limits a table, not a process: fs/file.c compares the descriptor number with it. So a process can hold the
limit times the number of its threads with tables of their own, and these threads share the memory of one interpreter. With
a limit of 20,000, a million connections took 300 B each in 51 worker processes, and take 120 B in two.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable

CLONE_FILES = 0x400  # include/uapi/linux/sched.h
LIBC = ctypes.CDLL(None, use_errno=True)  # os.unshare exists only from Python 3.12 on


def part() -> None:
    """Give the calling thread its own copy of the process's descriptor table.

    It needs no privilege. Raises OSError if a seccomp filter forbids it, as Docker's does.
    """
    if LIBC.unshare(CLONE_FILES):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def can_part() -> bool:
    """Return whether threads of this machine can have descriptor tables of their own.

    Call this in a process with one thread, where it changes nothing.
    """
    try:
        part()
    except OSError:
        return False
    return True


def close_all(descriptors: Iterable[int]) -> None:
    """Close some descriptors in the calling thread's descriptor table. Raises OSError for one that is not open."""
    for descriptor in descriptors:
        os.close(descriptor)
