"""The zygote: a process that imported a child's module and nothing else, and forks one child per request.

A child made here costs a few milliseconds and about 1.4 MiB instead of 150 ms and 25 MiB, because the interpreter and
the module are shared pages. It is safe because gRPC was never imported: forking a process in which gRPC lives hangs.
Run as ``python -m c1m.zygote MODULE DESCRIPTOR``; ``crew`` is the other side. The module has two
functions: ``main(link, descriptors)`` is a child's whole life, ``rehearse()`` does once what every child will do.

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
import traceback
from _socket import AF_UNIX, SOCK_SEQPACKET, socket
from collections.abc import Callable

from c1m import link

ChildMain = Callable[[socket, list[int]], None]


def main() -> None:
    module_name, descriptor = sys.argv[1:]
    # ^C reaches the whole foreground process group: the control process decides what it means, we follow the link.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A collection would leave holes in pages that all children share, and each child that filled one would copy its page.
    gc.disable()
    module = importlib.import_module(module_name)
    # CPython specialises bytecode in place where it runs. What is done once here is written to pages that all children
    # share, and not by each child to a copy of its own.
    module.rehearse()
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
        control.send(link.encode({"forked": pids, "error": error}))
        for descriptor in descriptors:
            os.close(descriptor)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])


def fork_all(control: socket, child_main: ChildMain, count: int, descriptors: list[int]) -> tuple[list[int], int]:
    """Fork so many children, the first with the first part of the descriptors, and so on; fewer where fork() says an errno.

    All in one go: whatever this process writes between two forks, every child before keeps an old copy of. Forking
    them request by request cost each child 500 kB more.
    """
    each = len(descriptors) // count
    pids: list[int] = []
    for index in range(count):
        try:
            pid = os.fork()
        except OSError as failure:
            return pids, failure.errno or 0
        if pid == 0:
            control.close()
            mine = descriptors[index * each : (index + 1) * each]
            for descriptor in set(descriptors).difference(mine):
                os.close(descriptor)  # a sibling's link that stayed open here would never read as closed
            become(child_main, mine)
        pids.append(pid)
    return pids, 0


def report_ends(control: socket) -> None:
    """Reap every child that ended; its wait status goes to the control process."""
    with contextlib.suppress(ChildProcessError, BrokenPipeError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            control.send(link.encode({"ended": ended[0], "status": ended[1]}))


def become(child_main: ChildMain, descriptors: list[int]) -> None:
    """Run the child to its end; never returns. A child that breaks sends its last words first."""
    # ``signal`` makes enums of what it returns, and ``open`` wakes the codecs: 250 kB of copied pages each, a child.
    _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, [_signal.SIGCHLD])
    end = socket(AF_UNIX, SOCK_SEQPACKET, 0, descriptors[0])
    status = 0
    # No collection: it would write to every object of the child, and stop it in the middle of a ramp. The loops that
    # run here make no cycles.
    gc.disable()
    try:
        child_main(end, descriptors[1:])
    except BaseException as broken:
        traceback.print_exc()
        with contextlib.suppress(OSError, ValueError):
            end.send(link.encode({"last_words": "".join(traceback.format_exception_only(broken)).strip()}))
        status = 1
    os._exit(status)


def name_process(name: str) -> None:
    """What ``ps`` and ``top`` show; the kernel keeps 15 bytes."""
    descriptor = os.open("/proc/self/comm", os.O_WRONLY)
    os.write(descriptor, name[:15].encode())
    os.close(descriptor)


if __name__ == "__main__":
    main()
