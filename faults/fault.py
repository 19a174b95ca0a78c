"""What happens: each fault begins when its block is entered, and what has an end ends with it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass

from clock import set_clock
from fleet import Fleet
from patience import surely
from testbed import COORDINATOR
from victim import Victim

JUMP_SECONDS = 3600
DISK_BYTES = 4 << 20  # of the disk that gets full


@dataclass(frozen=True, slots=True)
class Fault:
    name: str
    act: Callable[[Fleet, Victim], AbstractContextManager[None]]
    seconds: float | None = None  # that it lasts in the matrix; None: until everything else is over
    ends: bool = False  # whether it can be over before everything else
    lease_seconds: float = 5.0  # of the run in the matrix
    moves_clock: bool = False
    fills_disk: bool = False
    attaches: bool = False  # another coordinator takes over


@contextmanager
def killed(fleet: Fleet, victim: Victim) -> Iterator[None]:
    send(victim.pids(fleet), signal.SIGKILL)
    yield


@contextmanager
def taken_over(fleet: Fleet, victim: Victim) -> Iterator[None]:
    send(victim.pids(fleet), signal.SIGKILL)
    surely(fleet.coordinator.ended, "the coordinator's end")
    fleet.take_over()
    yield


@contextmanager
def stopped(fleet: Fleet, victim: Victim) -> Iterator[None]:
    pids = victim.pids(fleet)
    send(pids, signal.SIGSTOP)
    try:
        yield
    finally:
        send(pids, signal.SIGCONT)


@contextmanager
def cut(fleet: Fleet, victim: Victim) -> Iterator[None]:
    for link in victim.links:
        fleet.testbed.cut(victim.machine, link)
    try:
        yield
    finally:
        for link in victim.links:
            fleet.testbed.join(victim.machine, link)


@contextmanager
def swallowed(fleet: Fleet, victim: Victim) -> Iterator[None]:
    for link in victim.links:
        fleet.testbed.swallow(victim.machine, link)
    try:
        yield
    finally:
        for link in victim.links:
            fleet.testbed.release(victim.machine, link)


@contextmanager
def filled(fleet: Fleet, _victim: Victim) -> Iterator[None]:
    """Fill the disk of the journal with a file of another program, inside the block."""
    filler = fleet.state(COORDINATOR) / "filler"
    try:
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))
        yield
    finally:
        filler.unlink()


def jumped(seconds: int) -> Callable[[Fleet, Victim], AbstractContextManager[None]]:
    @contextmanager
    def jump(fleet: Fleet, victim: Victim) -> Iterator[None]:
        set_clock(fleet.clock(victim.machine), seconds)
        yield

    return jump


def send(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


FAULTS = {
    fault.name: fault
    for fault in (
        Fault("SIGKILL", killed),
        Fault("SIGKILL, attach", taken_over, lease_seconds=15, attaches=True),
        Fault("SIGSTOP", stopped, seconds=8, ends=True),
        Fault("link cut", cut, seconds=8, ends=True),
        Fault("blackhole", swallowed, ends=True),
        Fault("disk full", filled, fills_disk=True),
        Fault("clock +1 h", jumped(JUMP_SECONDS), moves_clock=True),
        Fault("clock -1 h", jumped(-JUMP_SECONDS), moves_clock=True),
    )
}
