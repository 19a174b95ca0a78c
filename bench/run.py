"""What c1m costs beside the kernel and beside the interpreter: bench/reference.c, bench/bare.py and c1m take turns at the same
connections, on this machine.

python bench/run.py [--rounds N] [--million] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from namespace import inside_namespace

from c1m.app.interpreter import module_command
from c1m.kernel.sockstat import read_sockstat

SOURCE = Path(__file__).with_name("reference.c")
BARE = Path(__file__).with_name("bare.py")
RUN_SECONDS = 600  # for one measurement; a million takes about one
QUIET_SOCKETS = 1000  # open on the machine, or in TIME_WAIT
QUIET_SECONDS = 90.0  # to wait for that; TIME_WAIT lasts 60 s
IDLE_SECONDS = 1.0  # over which the processors' idle share is taken


@dataclass(frozen=True, slots=True)
class Size:
    """Processes on each side, and connections of each. Naive acceptors need 5 % of their descriptors to spare."""

    planned: tuple[int, int]
    naive: tuple[int, int]

    @property
    def total(self) -> int:
        return self.planned[0] * self.planned[1]


# Both fit a limit of 20,000 descriptors a process.
USUAL = Size(planned=(12, 12_500), naive=(12, 12_500))
MILLION = Size(planned=(51, 19_608), naive=(54, 18_519))


@dataclass(frozen=True, slots=True)
class Before:
    """The machine right before a run; None is unknown."""

    waited_seconds: float
    sockets: int | None
    load_average: float
    idle_share: float


@dataclass(frozen=True, slots=True)
class Measured:
    """One run. PSS is known of c1m only."""

    way: str
    connections: int
    ramp_seconds: float
    per_second: float
    close_seconds: float
    worker_pss: float | None = None  # bytes a connection
    target_pss: float | None = None


class BenchError(Exception):
    """A run failed, so there is nothing to compare."""


# -- the machine


def sockets() -> int | None:
    """TCP sockets of the machine, and this namespace's TIME_WAIT; None is unknown."""
    found = (read_sockstat() or {}).get("TCP")
    return found["alloc"] + found["tw"] if found else None


def processor_ticks() -> tuple[int, int]:
    """(idle, all) since boot: fields 4 and 5 of the first line, idle and iowait, of the first eight; the rest is in them."""
    ticks = [int(field) for field in Path("/proc/stat").read_text().split(maxsplit=9)[1:9]]
    return ticks[3] + ticks[4], sum(ticks)


def idle_share() -> float:
    idle, every = processor_ticks()
    time.sleep(IDLE_SECONDS)
    idle_then, every_then = processor_ticks()
    return (idle_then - idle) / max(every_then - every, 1)


def settle() -> Before:
    """Wait, not for ever, until the run before has left the kernel's tables."""
    began = time.monotonic()
    while (sockets() or 0) > QUIET_SOCKETS and time.monotonic() - began < QUIET_SECONDS:
        time.sleep(0.5)
    return Before(time.monotonic() - began, sockets(), os.getloadavg()[0], idle_share())


# -- the runs


def build(directory: Path) -> Path:
    binary = directory / "reference"
    output_of(["cc", "-O2", "-o", str(binary), str(SOURCE)], directory)
    return binary


def output_of(command: Sequence[str], directory: Path) -> str:
    """Standard output. Raises BenchError for a command that cannot be run, fails or takes too long.

    In a namespace of its own, and in a directory and an environment without a fleet's c1m.toml.
    """
    environment = {name: value for name, value in os.environ.items() if name != "C1M_CONFIG"}
    try:
        done = subprocess.run(
            inside_namespace(command),
            cwd=directory,
            env=environment,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        raise BenchError(f"{' '.join(command)} ended with {error.returncode}:\n{error.stderr}{error.stdout}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BenchError(f"{' '.join(command)}: {error}") from None
    return done.stdout


def run_reference(binary: Path, mode: str, shape: tuple[int, int]) -> Measured:
    return run_bench(f"{mode} C", [str(binary), mode], shape, binary.parent)


def run_bare(shape: tuple[int, int], directory: Path) -> Measured:
    return run_bench("bare Py", [sys.executable, str(BARE)], shape, directory)


def run_bench(way: str, command: Sequence[str], shape: tuple[int, int], directory: Path) -> Measured:
    told = json.loads(output_of([*command, *map(str, shape)], directory))
    return Measured(
        way,
        told["connections"],
        told["ramp_seconds"],
        told["connections_per_second"],
        told["close_seconds"],
    )


def run_c1m(total: int, directory: Path) -> Measured:
    command = module_command("c1m.coordinator", "run", "--total", str(total), "--hold", "0s", "--json", "-")
    told: dict[str, Any] = json.loads(output_of(command, directory))
    return Measured(
        "c1m",
        told["established_at_hold_end"],
        told["ramp_seconds"],
        told["connections_per_second"],
        told["teardown_seconds"],
        told["workers"][0]["pss_bytes_per_connection"],
        told["target"]["pss_bytes_per_connection"],
    )


def measure(size: Size, rounds: int, directory: Path) -> list[tuple[Before, Measured]]:
    """In turn, so that a machine that gets slower does so for all of them."""
    binary = build(directory)
    ways: list[Callable[[], Measured]] = [
        lambda: run_reference(binary, "planned", size.planned),
        lambda: run_reference(binary, "naive", size.naive),
        lambda: run_bare(size.planned, directory),
        lambda: run_c1m(size.total, directory),
    ]
    results = []
    for number in range(1, rounds + 1):
        for way in ways:
            before = settle()
            results.append((before, way()))
            print(line(number, *results[-1]), file=sys.stderr)
    return results


# -- what is told


def line(number: int, before: Before, measured: Measured) -> str:
    left = "unknown" if before.sockets is None else f"{before.sockets:,}"
    return (
        f"round {number}: {measured.way:9} {measured.per_second:9,.0f}/s, closed in {measured.close_seconds:.2f} s; before: "
        f"waited {before.waited_seconds:.0f} s, {left} sockets, load {before.load_average:.2f}, idle {before.idle_share:.0%}"
    )


def medians(runs: Sequence[Measured]) -> dict[str, dict[str, float]]:
    """For each way, in the order of the runs."""
    grouped: dict[str, list[Measured]] = {}
    for run in runs:
        grouped.setdefault(run.way, []).append(run)
    return {way: medians_of(some) for way, some in grouped.items()}


def medians_of(runs: Sequence[Measured]) -> dict[str, float]:
    """Of every number that is known; what is not is absent."""
    fields = [asdict(run) for run in runs]
    known = {name: [each[name] for each in fields if each[name] is not None] for name in fields[0] if name != "way"}
    return {name: statistics.median(values) for name, values in known.items() if values}


def table(found: dict[str, dict[str, float]]) -> str:
    """Medians, and c1m in relation to each way of C."""
    lines = [f"{'':10} {'connections':>11} {'per second':>11} {'ramp':>8} {'closed in':>9} {'c1m is':>7}"]
    ours = found["c1m"]["per_second"]
    for way, values in found.items():
        lines.append(
            f"{way:10} {values['connections']:11,.0f} {values['per_second']:11,.0f} {values['ramp_seconds']:6.2f} s "
            f"{values['close_seconds']:7.2f} s {ours / values['per_second']:6.2f}x"
        )
    for side in ("worker", "target"):
        bytes_each = found["c1m"].get(f"{side}_pss")
        lines.append(f"{side} PSS  " + ("unknown" if bytes_each is None else f"{bytes_each:,.0f} B a connection"))
    return "\n".join(lines)


def document(results: Sequence[tuple[Before, Measured]]) -> dict[str, Any]:
    return {
        "kernel": os.uname().release,
        "cores": os.cpu_count(),
        "medians": medians([measured for _, measured in results]),
        "runs": [{"before": asdict(before)} | asdict(measured) for before, measured in results],
    }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--million", action="store_true", help="a million connections instead of 150,000, in one round")
    parser.add_argument("--rounds", type=int, help="turns of each way; default: 5, with --million 1")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every run and the medians there")
    given = parser.parse_args()
    given.rounds = given.rounds if given.rounds is not None else 1 if given.million else 5
    if given.rounds < 1:
        parser.error(f"--rounds {given.rounds}: there must be one round at least")
    return given


def main() -> None:
    given = arguments()
    try:
        with tempfile.TemporaryDirectory(prefix="c1m-bench-") as directory:
            results = measure(MILLION if given.million else USUAL, given.rounds, Path(directory))
    except BenchError as error:
        sys.exit(f"error: {error}")
    print(table(medians([measured for _, measured in results])))
    if given.json:
        given.json.write_text(json.dumps(document(results), indent=2) + "\n")


if __name__ == "__main__":
    main()
