"""What a heartbeat costs the client's processors: bench/heartbeat.c and c1m take turns against one and the same C echo server.

python bench/heartbeat.py [--total N] [--interval SECONDS] [--rounds N] [--json FILE]

CPU is read from /proc/PID/stat of the processes that hold connections, over whole intervals, in each of which every
connection has beaten once: CPU a heartbeat is what they used over connections times intervals.
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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from commands import BenchError, output_of
from namespace import enter_namespace

from c1m.app.interpreter import module_command

SOURCE = Path(__file__).with_name("heartbeat.c")
FIRST_PORT = 9000  # of heartbeat.c
WORKER = "127.0.0.1:7302"
PER_PROCESS = 19_000  # connections, under a limit of 20,000 descriptors
INTERVALS = 3  # measured; one more before, in which everybody has sent for the first time
READY_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Measured:
    way: str
    heartbeats: int  # while CPU was measured
    cpu_us: float  # a heartbeat, of the processes that hold the connections
    control_cpu_us: float  # a heartbeat, of the processes beside them
    p50_us: float  # of the whole run
    p99_us: float
    max_us: float


@dataclass(frozen=True, slots=True)
class Shape:
    processes: int
    per_process: int
    interval: float

    @property
    def total(self) -> int:
        return self.processes * self.per_process

    @property
    def ports(self) -> str:
        return f"{FIRST_PORT}-{FIRST_PORT + self.processes - 1}"


def shape_of(total: int, interval: float) -> Shape:
    processes = max(os.cpu_count() or 1, -(-total // PER_PROCESS))
    return Shape(processes, -(-total // processes), interval)


# -- processes


@contextmanager
def running(words: Sequence[str], **streams: int) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(words, text=True, **streams)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        if process.stdin:
            process.stdin.close()
        process.terminate()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()


def until_it_says(stream: Any, beginning: str) -> None:
    """Raises BenchError when it ends first."""
    if not any(line.startswith(beginning) for line in stream):
        raise BenchError(f"a process ended before it said {beginning!r}")


def below(pid: int) -> list[int]:
    """The processes that came from one, itself not among them."""
    children = [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]
    return children + [each for child in children for each in below(child)]


def holds_connections(pid: int) -> bool:
    return Path(f"/proc/{pid}/comm").read_text().startswith(("c1m-shard", "heartbeat"))


def cpu_seconds(pids: Sequence[int]) -> float:
    """User and system, in ticks of 10 ms."""
    stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(fields[11]) + int(fields[12]) for fields in stats) / os.sysconf("SC_CLK_TCK")


def measure(parent: int, shape: Shape) -> tuple[float, float]:
    """CPU microseconds a heartbeat: of the processes that hold connections, and of the others."""
    time.sleep(shape.interval)
    every = [parent, *below(parent)]
    holding = [pid for pid in every if pid != parent and holds_connections(pid)]
    others = [pid for pid in every if pid not in holding]
    before = cpu_seconds(holding), cpu_seconds(others)
    time.sleep(INTERVALS * shape.interval)
    used = cpu_seconds(holding) - before[0], cpu_seconds(others) - before[1]
    beats = INTERVALS * shape.total
    return used[0] / beats * 1e6, used[1] / beats * 1e6


# -- the two ways


def in_c(binary: Path, shape: Shape) -> Measured:
    seconds = round((INTERVALS + 2) * shape.interval)
    words = [str(binary), "beat", *map(str, (shape.processes, shape.per_process, round(shape.interval * 1000), seconds))]
    with running(words, stdout=subprocess.PIPE) as client:
        until_it_says(client.stdout, "beating")
        cpu, control = measure(client.pid, shape)
        assert client.stdout
        told = json.loads(client.stdout.read())
    check(told["sent"], told["answered"], told["wrong"] + told["missing"])
    return Measured("C", INTERVALS * shape.total, cpu, control, told["p50_us"], told["p99_us"], told["max_us"])


def in_c1m(directory: Path, shape: Shape) -> Measured:
    summary_file = directory / "summary.json"
    endpoint = ("--endpoint", f"127.0.0.1:{shape.ports}", "--total", str(shape.total))
    beating = ("--heartbeat", f"{shape.interval}s", "--hold", f"{(INTERVALS + 2) * shape.interval}s")
    run = module_command("c1m.coordinator", "run", "--worker", WORKER, *endpoint, *beating, "--json", str(summary_file))
    with running(module_command("c1m.worker", "--listen", WORKER), stdout=subprocess.PIPE) as worker:
        until_it_says(worker.stdout, "listening on ")
        with running(run, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as coordinator:
            until_it_says(coordinator.stderr, "holding")
            cpu, control = measure(worker.pid, shape)
            assert coordinator.stderr
            coordinator.stderr.read()
            coordinator.wait(READY_SECONDS)
    told = json.loads(summary_file.read_text())
    beats, rtt = told["heartbeats"], told["heartbeat_rtt_us"]
    check(beats["sent"], beats["answered"], beats["wrong"] + beats["missing"])
    return Measured("c1m", INTERVALS * shape.total, cpu, control, rtt["p50"], rtt["p99"], rtt["max"])


def check(sent: int, answered: int, bad: int) -> None:
    if bad or not sent or sent != answered:
        raise BenchError(f"{answered:,} of {sent:,} heartbeats were answered, {bad:,} wrongly or too late: nothing to compare")


def measure_all(shape: Shape, rounds: int, directory: Path) -> list[Measured]:
    binary = directory / "heartbeat"
    output_of(["cc", "-O2", "-o", str(binary), str(SOURCE)], directory)
    results = []
    serving = [str(binary), "serve", str(shape.processes)]
    with running(serving, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        until_it_says(server.stdout, "serving")
        for number in range(1, rounds + 1):
            for way in (partial(in_c, binary, shape), partial(in_c1m, directory, shape)):
                results.append(way())
                print(f"round {number}: {line(results[-1])}", file=sys.stderr)
    return results


# -- what is told


def line(one: Measured) -> str:
    return (
        f"{one.way:4} {one.cpu_us:6.2f} us of CPU a heartbeat, {one.control_cpu_us:.2f} us beside it; "
        f"RTT p50 {one.p50_us:,.0f} us, p99 {one.p99_us:,.0f} us, max {one.max_us:,.0f} us"
    )


def medians(results: Sequence[Measured]) -> dict[str, float]:
    """CPU microseconds a heartbeat: of the processes that hold connections, and of c1m's with its control process."""
    found = {way: statistics.median(one.cpu_us for one in results if one.way == way) for way in ("C", "c1m")}
    both = [one.cpu_us + one.control_cpu_us for one in results if one.way == "c1m"]
    return found | {"c1m with control": statistics.median(both)}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--total", type=int, default=100_000, help="connections; default: 100,000")
    parser.add_argument("--interval", type=float, default=5.0, metavar="SECONDS", help="default: 5")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each way; default: 3")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every run and the medians there")
    return parser.parse_args()


def main() -> None:
    given = arguments()
    enter_namespace()
    shape = shape_of(given.total, given.interval)
    try:
        with tempfile.TemporaryDirectory(prefix="c1m-bench-") as directory:
            results = measure_all(shape, given.rounds, Path(directory))
    except BenchError as error:
        sys.exit(f"error: {error}")
    found = medians(results)
    print(
        f"{shape.total:,} connections of {shape.processes} processes, a heartbeat every {shape.interval:g} s: "
        f"C {found['C']:.2f} us of CPU each, c1m {found['c1m']:.2f} us, {found['c1m'] / found['C']:.2f}x, and with its control "
        f"process {found['c1m with control']:.2f} us, {found['c1m with control'] / found['C']:.2f}x"
    )
    if given.json:
        document = {"shape": asdict(shape), "medians": found, "runs": [asdict(one) for one in results]}
        given.json.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
