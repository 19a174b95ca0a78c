"""One cell of the matrix: a run for real, what happens to it, and what is seen of that."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from c1m.app.interpreter import module_command
from counts import differences, misdated, unexplained
from fault import DISK_BYTES, FAULTS, Fault
from fleet import TARGET_PORT, WORKER_PORT, Fleet
from moment import MOMENTS, Moment
from observation import Observation
from patience import TooLong, eventually
from remains import files, orphans, owned_sockets
from testbed import CONTROL, COORDINATOR, TARGET, address, call, testbed
from victim import VICTIMS, Victim

AFTER_LEASE_SECONDS = 10.0
GRACE_SECONDS = 10.0  # beyond what it may take: how much too late is worth knowing
CODES = (0, 1, 3, 4)  # of a coordinator that came to its end
PROGRESS = re.compile(r"\w+ \d+%, ")  # how lines begin that only tell how far a run is


@dataclass(frozen=True, slots=True)
class Cell:
    victim: Victim
    fault: Fault
    moment: Moment
    lease_seconds: float = 5.0
    fault_seconds: float | None = None
    on_loss: str = ""
    total: int = 6000
    ramp_seconds: float = 5.0
    hold_seconds: float = 7.0
    close_rate: float = 2000.0
    connect_timeout: float = 3.0

    @property
    def words(self) -> list[str]:
        """Return the options of ``c1m-coord run`` for this cell."""
        words = ["--total", f"{self.total}", "--ramp", f"{self.ramp_seconds:g}s", "--hold", f"{self.hold_seconds:g}s"]
        words += ["--close-rate", f"{self.close_rate:g}", "--connect-timeout", f"{self.connect_timeout:g}s"]
        words += ["--lease", f"{self.lease_seconds:g}s"]
        return words + (["--on-loss", self.on_loss] if self.on_loss else [])

    @property
    def seconds(self) -> float:
        """Return how many seconds the run takes at most, from its first connection to the last one closed."""
        return self.ramp_seconds + self.connect_timeout + self.hold_seconds + self.total / self.close_rate

    def unseen(self) -> Observation:
        names = self.victim.name, self.fault.name, self.moment.name
        return Observation(*names, self.lease_seconds, self.fault_seconds, self.on_loss)


def cell(victim: str, fault: str, moment: str) -> Cell:
    what = FAULTS[fault]
    return Cell(VICTIMS[victim], what, MOMENTS[moment], what.lease_seconds, what.seconds)


def observe(cell: Cell, name: str) -> Observation:
    """``name`` is this one's own among cells that are tried at the same time. Nothing of it stays. Raises Interrupted."""
    seen = cell.unseen()
    with testbed(name) as made, folder_for(cell) as folder:
        fleet = Fleet(made, folder, [cell.victim.machine] if cell.fault.moves_clock else ())
        with ExitStack() as last:
            last.callback(fleet.kill)
            try:
                fleet.start_nodes()
                run(cell, fleet, seen)
                look_after(fleet, seen)
            except TooLong as trouble:
                seen.troubled = f"{trouble}; {last_words(fleet)}"
    return seen


@contextmanager
def folder_for(cell: Cell) -> Iterator[Path]:
    """With a small disk for the journal where it is to get full."""
    with tempfile.TemporaryDirectory(prefix="c1m-faults-") as name, ExitStack() as mounted:
        folder = Path(name)
        if cell.fault.fills_disk:
            state = folder / COORDINATOR / "state"
            state.mkdir(parents=True)  # and the fleet finds it there
            call("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(state))
            mounted.callback(call, "umount", str(state))
        yield folder


def run(cell: Cell, fleet: Fleet, seen: Observation) -> None:
    """From its start until nothing of it is left, or it has had all the time that it may take."""
    with ExitStack() as fault:
        with cell.moment.lengthened(fleet):
            fleet.run(*cell.words)
            cell.moment.come(fleet, cell.victim)
            struck = time.monotonic()  # and not after it: who is killed is missed within a millisecond
            fault.enter_context(cell.fault.act(fleet, cell.victim))
        if cell.fault_seconds is not None and not eventually(lambda: is_over(fleet), cell.fault_seconds):
            fault.close()
        most = overdue(cell, fleet, struck)
        while not is_over(fleet) and time.monotonic() < most + GRACE_SECONDS:
            eventually(lambda: is_over(fleet), 1.0)
            most = overdue(cell, fleet, struck)
        over = is_over(fleet)
        seen.ended_seconds = time.monotonic() - struck if over else None
        seen.allowed_seconds = most - struck
        seen.orphans = orphans(fleet.testbed)
        if not over:
            seen.left += left_of(fleet)
    tell(fleet, struck, seen)


def is_over(fleet: Fleet) -> bool:
    """No process but those of nodes with nothing to do, and no socket of theirs but those that listen for commands."""
    if not fleet.coordinator.ended() or not all(node.is_free() for node in fleet.nodes.values()):
        return False
    return not owned_sockets(fleet.testbed)


def overdue(cell: Cell, fleet: Fleet, struck: float) -> float:
    """When the run has to be over: by its own schedule or by the strike, whichever is later, and then the lease and 10 s.

    Who is stopped can do nothing about it until he goes on.
    """
    opened = fleet.opening()
    goes_on = opened and fleet.coordinator.process.returncode in (None, *CODES)
    due = opened.at + cell.seconds if opened and goes_on else struck
    awake = struck + (cell.fault_seconds or 0) if cell.fault.name == "SIGSTOP" else struck
    return max(due, awake) + cell.lease_seconds + AFTER_LEASE_SECONDS


def left_of(fleet: Fleet) -> list[str]:
    """What is in the way of its being over."""
    busy = [
        f"left on {program.name}: {', '.join(f'{name} ({pid})' for pid, name in program.members().items())}"
        for program in fleet.programs.values()
        if not program.is_free()
    ]
    return [*busy, *(f"left on {each}" for each in owned_sockets(fleet.testbed)[:5])]


def tell(fleet: Fleet, struck: float, seen: Observation) -> None:
    """What the coordinator said and left."""
    coordinator = fleet.coordinator
    said = [coordinator.said(lambda text: bool(text) and not PROGRESS.match(text), after=struck)]
    said += [node.said(lambda text: "no coordinator has watched" in text, after=struck) for node in fleet.nodes.values()]
    if noticed := min(filter(None, said), default=None):
        seen.noticed, seen.noticed_seconds = noticed.text.replace(f"{fleet.folder}/", ""), noticed.at - struck
    seen.exit_code = coordinator.process.returncode
    if fleet.summary.exists():
        summary = json.loads(fleet.summary.read_text())
        seen.verdict, seen.reasons = summary["verdict"], summary["reasons"]
        began = (fleet.former or coordinator).began
        seen.unexplained = unexplained(summary) + misdated(summary, time.monotonic() - began)


def look_after(fleet: Fleet, seen: Observation) -> None:
    """With every link whole again: is each node free, is the journal readable, does every program leave?"""
    seen.left += [f"left behind: {name}" for name in files(fleet)]
    seen.left += busy_nodes(fleet)
    look_into_journal(fleet, seen)
    for node in fleet.nodes.values():
        code = None if node.ended() else node.leave()
        if not node.ended_at and code != 0:
            seen.broken.append(f"{node.name} was told to leave and ended with {code}")
    for program in fleet.programs.values():
        if broken := program.said(lambda text: text.startswith("Traceback")):
            after = [line.text for line in program.lines[program.lines.index(broken) :]]
            raised = next((text for text in after[1:] if text and not text.startswith(" ")), "")
            seen.broken.append(f"{program.name} broke: {raised}")


def busy_nodes(fleet: Fleet) -> list[str]:
    alive = [name for name, node in fleet.nodes.items() if not node.ended()]
    asked = [f"{'target' if name == TARGET else 'worker'}={control_of(name)}" for name in alive]
    command = fleet.testbed.command(COORDINATOR, [sys.executable, str(Path(__file__).with_name("busy.py")), *asked])
    answers = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    told = [line.split("\t") for line in answers.splitlines()]
    return [f"{name} is busy: {busy}" for name, (_, busy) in zip(alive, told, strict=True) if busy]


def control_of(machine: str) -> str:
    return f"{address(machine, CONTROL)}:{TARGET_PORT if machine == TARGET else WORKER_PORT}"


def look_into_journal(fleet: Fleet, seen: Observation) -> None:
    kept = fleet.state(COORDINATOR) / "c1m"
    if not any(kept.glob("*.journal")):
        seen.journal = "none"
        return
    command = module_command("c1m.coordinator", "show", "--journal", str(kept), "--json", "-")
    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    try:
        shown = json.loads(told.stdout)
    except ValueError:
        seen.journal = f"unreadable: {told.stderr.strip()}"
        return
    seen.journal = shown["verdict"]
    if seen.verdict and seen.journal == seen.verdict:
        seen.unexplained += differences(json.loads(fleet.summary.read_text()), shown)


def last_words(fleet: Fleet) -> str:
    told = (f"{machine} said last: {program.lines[-1].text}" for machine, program in fleet.programs.items() if program.lines)
    return "; ".join(told)
