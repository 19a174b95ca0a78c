"""Control before work: whoever directs and answers runs before the processes that open and accept.

On a machine that is full of work a control process waits for its turn behind its own children: with a million
heartbeats on two cores one said nothing for 3 s, and looked as if it were gone.
"""

from __future__ import annotations

import os
from contextlib import suppress

STEPS = 10  # of niceness, each of which is a quarter more of a contended processor: ten are about nine times as much


def before_children() -> bool:
    """Run all threads that this process has, and those that they start, before the children that it started earlier.

    Whether the kernel lets it (root, CAP_SYS_NICE, RLIMIT_NICE). What is started later inherits it: start children first.
    """
    # Linux keeps niceness by thread, and PRIO_PROCESS takes a thread's id (kernel/sys.c: sys_setpriority).
    try:
        for thread in map(int, os.listdir("/proc/self/task")):
            with suppress(ProcessLookupError):  # it has ended meanwhile
                os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) - STEPS)
    except PermissionError:
        return False
    return True
