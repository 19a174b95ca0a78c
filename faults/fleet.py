"""The programs of one cell, each on its machine, with a folder and a clock of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from c1m.app.interpreter import module_command
from clock import built, set_clock
from patience import surely
from program import Line, Program
from testbed import CONTROL, COORDINATOR, DATA, TARGET, WORKERS, Testbed, address

DATA_PORTS = range(20_000, 20_008)
WORKER_PORT, TARGET_PORT = 7100, 7200


class Fleet:
    """``fake_clocks``: whose clocks can be moved. It costs a system call for each look, so it is not everybody's."""

    def __init__(self, testbed: Testbed, folder: Path, fake_clocks: Sequence[str] = ()) -> None:
        self.testbed = testbed
        self.folder = folder
        self.fake_clocks = fake_clocks
        self.programs: dict[str, Program] = {}  # by their machines
        self.former: Program | None = None  # the coordinator before the one that took over
        for machine in (COORDINATOR, TARGET, *WORKERS):
            self.state(machine).mkdir(parents=True, exist_ok=True)  # that may be a disk of its own
            set_clock(self.clock(machine), 0)

    def home(self, machine: str) -> Path:
        return self.folder / machine

    def state(self, machine: str) -> Path:
        return self.home(machine) / "state"

    def clock(self, machine: str) -> Path:
        return self.folder / f"{machine}.clock"

    @property
    def summary(self) -> Path:
        return self.home(COORDINATOR) / "summary.json"

    @property
    def nodes(self) -> dict[str, Program]:
        return {machine: program for machine, program in self.programs.items() if machine != COORDINATOR}

    @property
    def coordinator(self) -> Program:
        return self.programs[COORDINATOR]

    def start(self, machine: str, *words: str, stdout: int = subprocess.PIPE) -> None:
        environment = {
            **os.environ,
            "XDG_STATE_HOME": str(self.state(machine)),
            "TMPDIR": str(self.home(machine)),
            "HOME": str(self.home(machine)),
        }
        if machine in self.fake_clocks:
            environment |= {"LD_PRELOAD": str(built(self.folder)), "C1M_CLOCK": str(self.clock(machine))}
        command = self.testbed.command(machine, module_command(*words))
        self.programs[machine] = Program(machine, command, self.home(machine), environment, stdout)

    def start_nodes(self) -> None:
        for worker in WORKERS:
            words = ["--source", address(worker, DATA), "--listen", f"{address(worker, CONTROL)}:{WORKER_PORT}"]
            self.start(worker, "c1m.worker", *words, "--insecure")
        ports = f"{DATA_PORTS[0]}-{DATA_PORTS[-1]}"
        bound = ["--bind", address(TARGET, DATA), "--ports", ports, "--listen", f"{address(TARGET, CONTROL)}:{TARGET_PORT}"]
        self.start(TARGET, "c1m.target", *bound, "--insecure")
        for node in self.nodes.values():
            surely(partial(node.said, listening), f"{node.name}'s start", node.ended)
            node.idle = frozenset(node.members())

    def run(self, *words: str) -> None:
        workers = [word for worker in WORKERS for word in ("--worker", f"{address(worker, CONTROL)}:{WORKER_PORT}")]
        target = ("--target", f"{address(TARGET, CONTROL)}:{TARGET_PORT}")
        command = ["c1m.coordinator", "run", *workers, *target, *words, "--json", str(self.summary)]
        self.start(COORDINATOR, *command, stdout=subprocess.DEVNULL)  # its report is in the summary

    def take_over(self) -> None:
        """Another coordinator in place of the one that is gone."""
        self.former = self.coordinator
        self.start(COORDINATOR, "c1m.coordinator", "attach", "--json", str(self.summary), stdout=subprocess.DEVNULL)

    def opening(self) -> Line | None:
        """Where a coordinator said that it began to open connections."""
        return (self.former or self.coordinator).said(lambda text: text.startswith("opening"))

    def over(self) -> bool:
        """Whether the coordinator is."""
        return self.coordinator.ended()

    def kill(self) -> None:
        for program in [*self.programs.values(), *([self.former] if self.former else [])]:
            program.kill()


def listening(text: str) -> bool:
    return text.startswith("listening on ")
