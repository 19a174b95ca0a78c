"""The conditions under which a figure repeats itself: set for the time of a bench, and restored after it.

Without them bare C gave 18,363 and 44,114 connections a second in two runs in a row; with them 73,000 to 82,000.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

from commands import BenchError
from namespace import can_make

AUTOGROUP = Path("/proc/sys/kernel/sched_autogroup_enabled")
NICENESS = -10

# What a run touches, 2.5 GB for 150,000 connections and 9.5 GB for a million, is a fixed part and a part of each connection.
FIXED_BYTES = 1_250_000_000
BYTES_PER_CONNECTION = 8_300


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition, as it is now. ``problem`` says why it does not hold; None means that it holds."""

    name: str
    setting: str
    problem: str | None = None


@contextmanager
def conditions() -> Iterator[tuple[Condition, ...]]:
    """Set every condition that this user may set; restore all of them at the end, also after ^C, SIGTERM and SIGHUP.

    Nothing can restore them after SIGKILL.
    """
    with ending_signals_raised(), ExitStack() as stack:
        yield (
            stack.enter_context(without_autogroups()),
            stack.enter_context(priority(NICENESS)),
            namespaces(),
        )


@contextmanager
def ending_signals_raised() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise SystemExit, as SIGINT raises KeyboardInterrupt, so that the blocks around are left."""
    # nohup ignores SIGHUP, and it stays ignored.
    numbers = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_DFL]
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end(number: int, _: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


@contextmanager
def without_autogroups(switch: Path = AUTOGROUP) -> Iterator[Condition]:
    """Switch autogroups off: each setsid() starts one, so every c1m node would compete as a group and ignore its niceness.

    Two benches at a time would restore each other's setting, so the switch itself is locked. flock(2) works on it.
    """
    name = f"kernel.{switch.name}"
    with ExitStack() as stack:
        try:
            file = stack.enter_context(switch.open("r+"))
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            condition = Condition(name, "absent: this kernel has no autogroups")
        except BlockingIOError:
            condition = Condition(name, "unchanged", "another bench holds its lock; wait until it has ended")
        except PermissionError as error:
            condition = Condition(name, "unchanged", f"{error.strerror}; run as root")
        else:
            before = switch.read_text().strip()
            stack.callback(switch.write_text, before)
            switch.write_text("0")
            condition = Condition(name, f"0 (was {before})")
        yield condition


@contextmanager
def priority(niceness: int) -> Iterator[Condition]:
    """Give this process and the children that it starts a niceness."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    try:
        os.setpriority(os.PRIO_PROCESS, 0, niceness)
    except PermissionError as error:
        yield Condition("niceness", str(before), f"{niceness} is not allowed ({error.strerror}); run as root")
        return
    try:
        yield Condition("niceness", f"{niceness} (was {before})")
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, before)


def namespaces() -> Condition:
    """Whether each run gets a network namespace of its own: commands.output_of makes it."""
    if can_make():
        return Condition("network namespace", "a new one for each run")
    return Condition("network namespace", "shared", "making one takes root, unshare and ip")


def memory_to_touch(connections: int) -> int:
    """Bytes that a run with this many connections will need, both ends included."""
    return FIXED_BYTES + BYTES_PER_CONNECTION * connections


def touch_memory(size: int) -> None:
    """Write to this many bytes of memory and free them.

    A virtual machine gives unused memory back to its host and faults it in again, page by page, when it is next used: 40 us
    instead of 24 a connection for the run that comes first. Raises BenchError when the machine has not so much available.
    """
    available = available_bytes()
    if size > available:
        raise BenchError(
            f"the run needs {size / 1e9:.1f} GB of memory and this machine has {available / 1e9:.1f} GB available; "
            "give a smaller --total"
        )
    mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE).close()


def available_bytes() -> int:
    """MemAvailable of /proc/meminfo, in bytes."""
    words = next(line.split() for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemAvailable:"))
    return int(words[1]) * 1024
