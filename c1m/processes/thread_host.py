"""A process that carries children: each a thread with a descriptor table of its own, and a link to the control process.

The first child is the main thread. As many threads as tables run at a time as the interpreter lets them, which is one, and
any number inside of the kernel: there a shard is four fifths of its time.
"""

from __future__ import annotations

import _thread
import contextlib
import gc
import os
import traceback
from _socket import AF_UNIX, SOCK_SEQPACKET, socket
from collections.abc import Callable, Sequence
from typing import NoReturn

from . import descriptor_tables, link

ChildMain = Callable[[socket, list[int]], None]


class ThreadHost:
    def __init__(self, child_main: ChildMain, parts: Sequence[list[int]]) -> None:
        """``parts``: the descriptors of each child, its link first."""
        self.child_main = child_main
        self.parts = parts
        self.all = {descriptor for part in parts for descriptor in part}
        self.status = 0

    def run(self) -> NoReturn:
        """All children to their ends, and then this process to its own."""
        # No collection: it would write to every object of the children, and stop them in the middle of a ramp. The loops
        # that run here make no cycles.
        gc.disable()
        parted, ended = locks(len(self.parts) - 1), locks(len(self.parts) - 1)
        for part, here, over in zip(self.parts[1:], parted, ended, strict=True):
            _thread.start_new_thread(self.run_apart, (part, here, over))
        wait_for(parted)  # until then they need what is in this table
        self.keep_only(self.parts[0])
        self.run_child(self.parts[0])
        wait_for(ended)
        os._exit(self.status)

    def run_apart(self, part: list[int], parted: _thread.LockType, ended: _thread.LockType) -> None:
        try:
            descriptor_tables.part()
        except OSError:  # no memory: it was asked before whether threads may
            traceback.print_exc()
            os._exit(1)
        parted.release()
        self.keep_only(part)
        self.run_child(part)
        ended.release()

    def keep_only(self, part: list[int]) -> None:
        """A sibling's link that stayed open here would never read as closed."""
        descriptor_tables.close_all(self.all.difference(part))

    def run_child(self, part: list[int]) -> None:
        """A child that breaks sends its last words."""
        end = socket(AF_UNIX, SOCK_SEQPACKET, 0, part[0])
        try:
            self.child_main(end, part[1:])
        except BaseException as broken:
            traceback.print_exc()
            with contextlib.suppress(OSError, ValueError):  # nobody reads them any more, or they are too long for a link
                end.send(link.encode({"last_words": "".join(traceback.format_exception_only(broken)).strip()}))
            self.status = 1
        end.close()


def locks(count: int) -> list[_thread.LockType]:
    """Taken, each to be released by another thread. ``threading`` would cost a child 400 kB of copied pages."""
    made = [_thread.allocate_lock() for _ in range(count)]
    wait_for(made)
    return made


def wait_for(events: Sequence[_thread.LockType]) -> None:
    for event in events:
        event.acquire()


def name_thread(name: str) -> None:
    """What ``ps -L`` and ``top -H`` show, and of a process's first thread ``ps`` and ``top``; the kernel keeps 15 bytes."""
    descriptor = os.open("/proc/thread-self/comm", os.O_WRONLY)
    os.write(descriptor, name[:15].encode())
    os.close(descriptor)
