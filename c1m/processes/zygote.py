"""The zygote: a process that imported a child's module and nothing else, and forks processes that carry children.

A process made here costs a few milliseconds and about 1.4 MiB instead of 150 ms and 25 MiB, because the interpreter and
the module are shared pages. It is safe because gRPC was never imported: forking a process in which gRPC lives hangs.
Run as ``python -m c1m.processes.zygote MODULE DESCRIPTOR``; ``zygote_control`` is the other side. The module has two
functions: ``main(link, descriptors)`` is a child's whole life, ``warm_up()`` does once what every child will do.

multiprocessing's forkserver was not taken: it imports the parent's ``__main__`` (our command line, hence gRPC) in every child.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C part of signal, which typeshed does not know
import contextlib
import gc
import importlib
import os
import signal
import sys
from _socket import AF_UNIX, SOCK_SEQPACKET, socket
from collections.abc import Sequence
from typing import NoReturn

from . import descriptor_tables, link
from .thread_host import ChildMain, ThreadHost


def main() -> None:
    module_name, descriptor = sys.argv[1:]
    # ^C reaches the whole foreground process group: the control process decides what it means, we follow the link.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A collection would leave holes in pages that all children share, and each child that filled one would copy its page.
    gc.disable()
    module = importlib.import_module(module_name)
    # CPython specialises bytecode in place where it runs. What is done once here is written to pages that all children
    # share, and not by each child to a copy of its own.
    module.warm_up()
    gc.freeze()
    serve(socket(AF_UNIX, SOCK_SEQPACKET, 0, int(descriptor)), module.main)


def serve(control: socket, child_main: ChildMain) -> None:
    """Fork children as asked, report each child's end, return when the control process is gone."""
    signal.signal(signal.SIGCHLD, lambda *_: report_ends(control))
    while (request := link.receive_descriptors(control)) is not None:
        message, descriptors = request
        # Blocked, so that no child's end can be reported before its beginning was.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
        pids, error = fork_all(control, child_main, message["fork"], descriptors)
        with contextlib.suppress(BrokenPipeError):  # whoever asked was killed meanwhile; children hear of it by their links
            control.send(link.encode({"forked": pids, "error": error, "number": message["number"]}))
        for descriptor in descriptors:
            os.close(descriptor)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])


def fork_all(control: socket, child_main: ChildMain, count: int, descriptors: list[int]) -> tuple[list[int], int]:
    """Make so many children, the first with the first part of the descriptors, and so on: the process of each, which carries
    others as well. No more processes than processors run at a time, and each takes an interpreter's memory; where a thread
    gets no descriptor table of its own, every child is a process. Of fewer children where fork() says an errno.

    All in one go: whatever this process writes between two forks, every process before keeps an old copy of. Forking
    them request by request cost each 500 kB more.
    """
    each = len(descriptors) // count
    parts = [descriptors[index * each : (index + 1) * each] for index in range(count)]
    processes = min(len(os.sched_getaffinity(0)) if descriptor_tables.can_part() else count, count)
    pids: list[int] = []
    for first in range(processes):
        try:
            pid = os.fork()
        except OSError as failure:
            return [pids[index % processes] for index in range(count) if index % processes < len(pids)], failure.errno or 0
        if pid == 0:
            control.close()
            mine = parts[first::processes]
            descriptor_tables.close_all(set(descriptors).difference(*mine))
            become(child_main, mine)
        pids.append(pid)
    return [pids[index % processes] for index in range(count)], 0


def report_ends(control: socket) -> None:
    """Reap every child that ended; its wait status goes to the control process."""
    with contextlib.suppress(ChildProcessError, BrokenPipeError):  # nobody is left to reap, or to tell
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            control.send(link.encode({"ended": ended[0], "status": ended[1]}))


def become(child_main: ChildMain, parts: Sequence[list[int]]) -> NoReturn:
    # ``signal`` makes enums of what it returns: 250 kB of copied pages, a process.
    _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, [_signal.SIGCHLD])
    ThreadHost(child_main, parts).run()


if __name__ == "__main__":
    main()
