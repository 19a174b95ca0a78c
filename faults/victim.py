"""Whom it happens to: on which machine, which of its links, and which processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fleet import Fleet
from testbed import CONTROL, COORDINATOR, DATA, TARGET, WORKERS


@dataclass(frozen=True, slots=True)
class Victim:
    """A shard and an acceptor have the link that their connections go over, the others the one that commands go over."""

    name: str
    machine: str
    links: tuple[str, ...]
    pids: Callable[[Fleet], list[int]]


def control_of(machine: str) -> Callable[[Fleet], list[int]]:
    return lambda fleet: [fleet.programs[machine].pid]


def child_of(machine: str, name: str) -> Callable[[Fleet], list[int]]:
    return lambda fleet: [pid for pid, called in fleet.programs[machine].members().items() if called == name]


def all_of(machine: str) -> Callable[[Fleet], list[int]]:
    return lambda fleet: list(fleet.programs[machine].members())


STRUCK = WORKERS[0]
BYSTANDER = WORKERS[-1]

VICTIMS = {
    victim.name: victim
    for victim in (
        Victim("coordinator", COORDINATOR, (CONTROL,), control_of(COORDINATOR)),
        Victim("worker control", STRUCK, (CONTROL,), control_of(STRUCK)),
        Victim("shard", STRUCK, (DATA,), child_of(STRUCK, "c1m-shard 0")),
        Victim("target control", TARGET, (CONTROL,), control_of(TARGET)),
        Victim("acceptor", TARGET, (DATA,), child_of(TARGET, "c1m-acceptor 0")),
        Victim("worker machine", STRUCK, (CONTROL, DATA), all_of(STRUCK)),
        Victim("target machine", TARGET, (CONTROL, DATA), all_of(TARGET)),
    )
}
