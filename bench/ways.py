"""The ways to open the same connections that take turns: C with c1m's method, C without it, bare Python, and c1m itself."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commands import output_of
from trees import Tree

from c1m.app.interpreter import module_command

SOURCE = Path(__file__).with_name("reference.c")
BARE = Path(__file__).with_name("bare.py")
PROCESSES = 12  # on each side, at least
# Most connections of one process, under a limit of 20,000 descriptors. SO_REUSEPORT spreads naive C's by hash, so that its
# fullest acceptor needs 5 % of them to spare.
PLANNED_MOST, NAIVE_MOST = 19_608, 18_519


@dataclass(frozen=True, slots=True)
class Shape:
    """Processes on each side, and connections of each process."""

    processes: int
    each: int

    @property
    def total(self) -> int:
        return self.processes * self.each


def shape_of(total: int, most: int = PLANNED_MOST) -> Shape:
    """The shape with at least ``total`` connections and at most ``most`` in a process."""
    processes = max(PROCESSES, -(-total // most))
    return Shape(processes, -(-total // processes))


@dataclass(frozen=True, slots=True)
class Measured:
    """What one run says about itself. None is what it does not say: only c1m knows its PSS, only C its clients' CPU."""

    connections: int
    ramp_seconds: float
    per_second: float
    close_seconds: float
    worker_pss: float | None = None  # bytes a connection
    target_pss: float | None = None
    ramp_cpu_us: float | None = None  # CPU a connection during the ramp, clients and acceptors
    client_cpu_us: float | None = None  # ... clients alone


@dataclass(frozen=True, slots=True)
class Way:
    name: str
    measure: Callable[[], Measured]


def build(directory: Path) -> Path:
    """Compile reference.c and return the binary. Raises BenchError without a C compiler."""
    binary = directory / "reference"
    output_of(["cc", "-O2", "-o", str(binary), str(SOURCE)], directory)
    return binary


def references(total: int, directory: Path, comparing: bool) -> list[Way]:
    """What c1m is compared with besides another commit; planned C alone when there is one."""
    binary, planned, naive = str(build(directory)), shape_of(total), shape_of(total, NAIVE_MOST)
    ways = [Way("planned C", lambda: bare([binary, "planned"], planned, directory))]
    if not comparing:
        ways.append(Way("naive C", lambda: bare([binary, "naive"], naive, directory)))
        ways.append(Way("bare Py", lambda: bare([sys.executable, str(BARE)], planned, directory)))
    return ways


def bare(command: Sequence[str], shape: Shape, directory: Path) -> Measured:
    """Run reference.c or bare.py. Raises BenchError."""
    said: dict[str, Any] = json.loads(output_of([*command, str(shape.processes), str(shape.each)], directory))
    cpu = [said[name] / said["connections"] * 1e6 if name in said else None for name in ("cpu_seconds", "client_cpu_seconds")]
    return Measured(
        said["connections"],
        said["ramp_seconds"],
        said["connections_per_second"],
        said["close_seconds"],
        ramp_cpu_us=cpu[0],
        client_cpu_us=cpu[1],
    )


def c1m(tree: Tree, total: int, directory: Path) -> Way:
    """c1m from a tree, with as many connections as planned C. Its journals go below ``directory``."""
    return Way(tree.name, lambda: run_c1m(tree, shape_of(total).total, directory))


def run_c1m(tree: Tree, total: int, directory: Path) -> Measured:
    command = module_command("c1m.coordinator", "run", "--total", str(total), "--hold", "0s", "--json", "-")
    variables = tree.variables | {"XDG_STATE_HOME": str(directory / "state")}
    summary: dict[str, Any] = json.loads(output_of(command, directory, variables))
    return Measured(
        summary["established_at_hold_end"],
        summary["ramp_seconds"],
        summary["connections_per_second"],
        summary["teardown_seconds"],
        summary["workers"][0]["pss_bytes_per_connection"],
        summary["target"]["pss_bytes_per_connection"],
    )
