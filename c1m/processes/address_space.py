"""Explains why this process cannot start a thread: its limit of address space, or a limit of threads.

pthread_create() reports EAGAIN for both.
"""

from __future__ import annotations

import mmap
import re
import resource
from typing import Final

from c1m.kernel.host import read_text

UNLIMITED_STACK_BYTES: Final = 2 << 20  # glibc's choice on x86 and Arm where RLIMIT_STACK is unlimited
THREADS_CURE: Final = (
    "raise TasksMax= of the unit or --pids-limit of the container, RLIMIT_NPROC (ulimit -u), or kernel.threads-max and "
    "kernel.pid_max"
)


def why_no_thread() -> str:
    """Return what to raise so that this process can start one more thread, as part of a sentence."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY or has_room_for(stack_bytes()):
        return THREADS_CURE
    return (
        f"each takes {stack_bytes() >> 20} MiB of address space for its stack, and this process uses {used_kib():,} KiB of at "
        f"most {limit >> 10:,} KiB; raise RLIMIT_AS (ulimit -v, LimitAS= of the unit)"
    )


def stack_bytes() -> int:
    """Return the size of a new thread's stack in bytes."""
    soft, _ = resource.getrlimit(resource.RLIMIT_STACK)
    return UNLIMITED_STACK_BYTES if soft == resource.RLIM_INFINITY else soft


def has_room_for(size: int) -> bool:
    """Return whether the kernel lets this process map so many bytes more."""
    try:
        mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, mmap.PROT_READ | mmap.PROT_WRITE).close()
    except OSError:
        return False
    return True


def used_kib() -> int:
    """Return the address space of this process in KiB; 0 if it cannot be read."""
    found = re.search(r"^VmSize:\s+(\d+) kB$", read_text("/proc/self/status") or "", re.MULTILINE)
    return int(found[1]) if found else 0
