"""Work beside a loop: in a thread, and without one where the kernel gives none."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from c1m.processes.threads import in_thread

# The stack of a thread no longer fits the address space: clone() fails as it does at pids.max, and so does the thread.
WITHOUT_THREADS = """
import resource, threading, trio
from c1m.processes.threads import in_thread
async def main():
    with open("/proc/self/statm") as statm:
        size = int(statm.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + (1 << 20), resource.RLIM_INFINITY))
    try:
        threading.Thread(target=int).start()
    except RuntimeError as error:
        print(error)
    print(await in_thread(int, "7"), await in_thread(threading.current_thread) is threading.main_thread())
trio.run(main)
"""


@pytest.mark.trio
async def test_it_is_done_beside_the_loop() -> None:
    assert await in_thread(threading.current_thread) is not threading.main_thread()


@pytest.mark.trio
async def test_what_the_function_raises_is_raised() -> None:
    def broken() -> None:
        raise RuntimeError("of its own")

    with pytest.raises(RuntimeError, match="of its own"):
        await in_thread(broken)


def test_without_a_thread_it_is_done_in_the_loop() -> None:
    ended = subprocess.run([sys.executable, "-c", WITHOUT_THREADS], capture_output=True, text=True, timeout=60)

    assert ended.stdout.splitlines() == ["can't start new thread", "7 True"], ended.stderr
