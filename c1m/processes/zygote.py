"""The zygote: a process that imports a child's module and nothing else, and forks the processes that host children.

A process forked here takes a few milliseconds and about 1.4 MiB instead of 150 ms and 25 MiB, because the interpreter and
the module are shared pages. Forking is safe because gRPC is never imported: forking a process in which gRPC is loaded
hangs. Run it as ``python -m c1m.processes.zygote MODULE DESCRIPTOR``; ``zygote_client`` is the other side. The module has
two functions: ``main(link, descriptors)`` runs a child, and ``warm_up()`` does once what every child will do.

multiprocessing's forkserver is not used because it imports the parent's ``__main__`` (the command line, hence gRPC) in
every child.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C part of signal, which typeshed does not have
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

LEFT_TO_PARENT = (signal.SIGINT, signal.SIGTERM)


def main() -> None:
    """Run the zygote process: import the child's module, warm it up, and fork children on request until the control process is
    gone.
    """
    module_name, descriptor = sys.argv[1:]
    # ^C reaches the whole foreground process group, and SIGTERM of systemd and timeout(1) all processes of a unit or group. The
    # control process handles them; the zygote, and with it all children, ends when its link closes.
    for number in LEFT_TO_PARENT:
        signal.signal(number, signal.SIG_IGN)
    # A collection would leave holes in pages that all children share, and a child that fills a hole copies the page.
    gc.disable()
    module = importlib.import_module(module_name)
    # CPython specialises bytecode in place when it runs. Done once here, the result is in pages that all children share;
    # otherwise each child would write to its own copy.
    module.warm_up()
    gc.freeze()
    serve(socket(AF_UNIX, SOCK_SEQPACKET, 0, int(descriptor)), module.main)


def serve(control: socket, child_main: ChildMain) -> None:
    """Fork children on request and report each child's end. Returns when the control process is gone."""
    signal.signal(signal.SIGCHLD, lambda *_: report_ends(control))
    while (request := link.receive_descriptors(control)) is not None:
        message, descriptors = request
        # Block SIGCHLD so that the end of a child is not reported before its start.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
        pids, error = fork_all(control, child_main, message["fork"], descriptors)
        with contextlib.suppress(BrokenPipeError):  # the control process was killed; the children notice by their links
            control.send(link.encode({"forked": pids, "error": error, "number": message["number"]}))
        for descriptor in descriptors:
            os.close(descriptor)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])


def fork_all(control: socket, child_main: ChildMain, count: int, descriptors: list[int]) -> tuple[list[int], int]:
    """Fork ``count`` children and return the process id of each, and the errno of a fork that failed or 0.

    The first child gets the first part of the descriptors, and so on. There is one process for each CPU at most, since each
    takes an interpreter's memory, and a process hosts several children. If a thread cannot have its own descriptor table, every
    child is a process. After a failed fork there are fewer children. All forks are done at once: each page that this process
    writes between two forks stays as an old copy in all processes forked before. Forking them one request at a time cost each
    process 500 kB more.
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
    """Reap every child process that ended and send its wait status to the control process."""
    with contextlib.suppress(ChildProcessError, BrokenPipeError):  # no process is left, or the control process is gone
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            control.send(link.encode({"ended": ended[0], "status": ended[1]}))


def become(child_main: ChildMain, parts: Sequence[list[int]]) -> NoReturn:
    """Run the children of this process, which was just forked from the zygote, and exit when they have ended. Never returns."""
    # ``signal`` converts its results to enums, which costs 250 kB of copied pages a process.
    _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, [_signal.SIGCHLD])
    ThreadHost(child_main, parts).run()


if __name__ == "__main__":
    main()
