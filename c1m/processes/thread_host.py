"""A process that hosts children. Each child is a thread with its own descriptor table and its own link.

The first child is the main thread. The interpreter runs one thread at a time, but any number of threads can be inside the
kernel, where a shard spends four fifths of its time.
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
    """Runs several children of a node in one process, each in a thread with its own descriptor table."""

    def __init__(self, child_main: ChildMain, parts: Sequence[list[int]]) -> None:
        """``parts`` has the descriptors of each child, its link first."""
        self.child_main = child_main
        self.parts = parts
        self.all = {descriptor for part in parts for descriptor in part}
        self.status = 0

    def run(self) -> NoReturn:
        """Run all children of this process until they end, then exit the process. Never returns."""
        # No garbage collection: it would write to every object of the children, and pause them in the middle of a ramp. Their
        # loops create no reference cycles.
        gc.disable()
        parted, ended = locks(len(self.parts) - 1), locks(len(self.parts) - 1)
        for part, here, over in zip(self.parts[1:], parted, ended, strict=True):
            _thread.start_new_thread(self.run_apart, (part, here, over))
        wait_for(parted)  # until then the other threads need the descriptors of this table
        self.keep_only(self.parts[0])
        self.run_child(self.parts[0])
        wait_for(ended)
        os._exit(self.status)

    def run_apart(self, part: list[int], parted: _thread.LockType, ended: _thread.LockType) -> None:
        """Run one child in the calling thread, with a descriptor table of its own; release ``parted`` once it has the table and
        ``ended`` at the end.
        """
        try:
            descriptor_tables.part()
        except OSError:  # out of memory: can_part() was checked before
            traceback.print_exc()
            os._exit(1)
        parted.release()
        self.keep_only(part)
        self.run_child(part)
        ended.release()

    def keep_only(self, part: list[int]) -> None:
        """Close all descriptors of this process's other children in the calling thread's table.

        A sibling's link that stayed open here would never read as closed.
        """
        descriptor_tables.close_all(self.all.difference(part))

    def run_child(self, part: list[int]) -> None:
        """Run the main function of one child and close its link afterwards.

        If it raises, the exception is sent over the link as text.
        """
        end = socket(AF_UNIX, SOCK_SEQPACKET, 0, part[0])
        try:
            self.child_main(end, part[1:])
        except BaseException as broken:
            traceback.print_exc()
            with contextlib.suppress(OSError, ValueError):  # the link is closed, or the text is too long for it
                end.send(link.encode({"last_words": "".join(traceback.format_exception_only(broken)).strip()}))
            self.status = 1
        end.close()


def locks(count: int) -> list[_thread.LockType]:
    """Return ``count`` new locks that are already acquired, each to be released by another thread.

    ``threading`` would cost a child 400 kB of copied pages.
    """
    made = [_thread.allocate_lock() for _ in range(count)]
    wait_for(made)
    return made


def wait_for(events: Sequence[_thread.LockType]) -> None:
    """Wait until every lock has been released by another thread, and acquire each. Returns nothing."""
    for event in events:
        event.acquire()


def name_thread(name: str) -> None:
    """Name the calling thread, for ``ps -L`` and ``top -H``. The kernel keeps 15 bytes.

    The name of the first thread is also the name of the process in ``ps`` and ``top``.
    """
    descriptor = os.open("/proc/thread-self/comm", os.O_WRONLY)
    os.write(descriptor, name[:15].encode())
    os.close(descriptor)
