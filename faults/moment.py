"""When it happens: by what the programs say and do, never by the clock."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

from fleet import DATA_PORTS, Fleet
from patience import surely
from remains import sockets
from testbed import TARGET, WORKERS
from victim import BYSTANDER, Victim

SOME = 100  # connections


@dataclass(frozen=True, slots=True)
class Moment:
    """``come`` waits for it; ``lengthened`` is a block in which it does not pass."""

    name: str
    come: Callable[[Fleet, Victim], None]
    lengthened: Callable[[Fleet], AbstractContextManager[None]] = lambda _: nullcontext()


def preparing(fleet: Fleet, victim: Victim) -> None:
    """The victim was asked to prepare; of a child: it is there."""
    asked = TARGET if victim.machine == TARGET else WORKERS[0]
    surely(lambda: bool(fleet.nodes[asked].said(lambda text: "Prepare of run" in text)), f"a Prepare at {asked}", fleet.over)
    surely(lambda: bool(victim.pids(fleet)), victim.name, fleet.over)


@contextmanager
def bystander_waits(fleet: Fleet) -> Iterator[None]:
    """A worker that nothing happens to cannot fork its shards, so nobody starts."""
    (zygote,) = fleet.nodes[BYSTANDER].idle - {fleet.nodes[BYSTANDER].pid}
    os.kill(zygote, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(zygote, signal.SIGCONT)


def ramping(fleet: Fleet, _victim: Victim) -> None:
    surely(lambda: connections(fleet) > SOME, "the ramp", fleet.over)


def holding(fleet: Fleet, _victim: Victim) -> None:
    surely(lambda: bool(fleet.coordinator.said(lambda text: text.startswith("holding"))), "the hold", fleet.over)


def closing(fleet: Fleet, _victim: Victim) -> None:
    """Some are closed, and not all."""
    surely(lambda: bool(fleet.coordinator.said(lambda text: text.startswith("closing"))), "the close", fleet.over)
    before = connections(fleet)
    surely(lambda: connections(fleet) < before, "the first closings", fleet.over)


def connections(fleet: Fleet) -> int:
    """That the target's kernel has."""
    there = sockets(fleet.testbed, TARGET)
    return sum(socket.port in DATA_PORTS and socket.state == "ESTABLISHED" for socket in there)


MOMENTS = {
    moment.name: moment
    for moment in (
        Moment("prepare", preparing, bystander_waits),
        Moment("ramp", ramping),
        Moment("hold", holding),
        Moment("close", closing),
    )
}
