"""How near a fleet keeps to its schedule: what the nodes say of it at every sample, and what the kernel counts meanwhile.

python bench/schedule.py

Two workers with many shards follow a schedule up and down. Each sample of each worker is compared with the line, and 50
times a second the kernel is asked how many sockets there are (/proc/net/sockstat), which is the sum over all shards, of what
they really opened and closed, at one moment.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import Sequence
from typing import Any

from namespace import enter_namespace

from c1m.app.interpreter import module_command
from c1m.coordinator.fleet.clients import WorkerClient
from c1m.net.endpoints import parse_host_port
from c1m.schedule.schedule import NANOSECONDS, Schedule
from c1m.schedule.shapes import parse_shape, schedule_of

WORKERS = ("127.0.0.1:7100", "127.0.0.1:7101")
TARGET = "127.0.0.1:7200"
STAGES = ("30k@15s", "30k@5s", "10k@10s", "sine:10k-20k/10s@20s", "spike:25k@2s", "0@10s")
DESCRIPTORS = 2000  # of a process: ten shards and more each
LOOK_SECONDS = 0.02


def start(program: str, *words: str) -> subprocess.Popen[str]:
    command = ["prlimit", f"--nofile={DESCRIPTORS}", *module_command(f"c1m.{program}", *words)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()  # it listens
    return process


def sockets_in_use() -> int:
    with open("/proc/net/sockstat") as sockstat:
        return next(int(line.split()[2]) for line in sockstat if line.startswith("TCP:"))


async def samples(address: str, found: list[tuple[int, int]], starts: list[float]) -> None:
    """(elapsed, scheduled) of a worker's every sample, and the moments that its start may have been at the latest."""
    worker = WorkerClient(parse_host_port(address, 0))
    while not (run := (await worker.describe([])).run_id):
        await asyncio.sleep(LOOK_SECONDS)
    async for sample, _ in worker.watch(run):
        if sample.scheduled is not None:
            found.append((sample.elapsed_ns, sample.scheduled))
            starts.append(time.monotonic() - sample.elapsed_ns / NANOSECONDS)
    await worker.close()


async def look(found: list[tuple[float, int]], over: asyncio.Event) -> None:
    while not over.is_set():
        found.append((time.monotonic(), sockets_in_use()))
        await asyncio.sleep(LOOK_SECONDS)


async def measure() -> tuple[list[list[tuple[int, int]]], list[tuple[float, int]], float, dict[str, Any]]:
    told: list[list[tuple[int, int]]] = [[] for _ in WORKERS]
    counted: list[tuple[float, int]] = []
    starts: list[float] = []
    over = asyncio.Event()
    words = [word for stage in STAGES for word in ("--stage", stage)]
    words += [word for worker in WORKERS for word in ("--worker", worker)]
    command = module_command("c1m.coordinator", "run", *words, "--target", TARGET, "--json", "-")
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    watching = [asyncio.create_task(samples(worker, told[n], starts)) for n, worker in enumerate(WORKERS)]
    looking = asyncio.create_task(look(counted, over))
    output, _ = await process.communicate()
    over.set()
    await asyncio.gather(looking, *watching)
    return told, counted, min(starts), json.loads(output)


def report(
    schedule: Schedule, told: Sequence[Sequence[tuple[int, int]]], counted: Sequence[tuple[float, int]], began: float
) -> None:
    peak = schedule.peak
    worst = max(abs(scheduled - schedule.at(elapsed) / len(told)) for each in told for elapsed, scheduled in each)
    number = sum(len(each) for each in told)
    print(f"schedule: {number} samples of {len(told)} workers; farthest from their part of the line {worst:.1f} connections")
    before = min(count for _, count in counted)
    during = [(at - began, count) for at, count in counted if 0 <= at - began <= schedule.end_ns / NANOSECONDS]
    # Both ends of a connection are here. What is under way within a look is counted half.
    gaps = sorted(abs((count - before) / 2 - schedule.at(int(at * NANOSECONDS))) for at, count in during)
    for share in (0.5, 0.9, 0.99, 1.0):
        gap = gaps[min(int(share * len(gaps)), len(gaps) - 1)]
        print(
            f"kernel: {share:.0%} of {len(gaps)} looks within {gap:,.1f} connections of the line, {gap / peak:.3%} of the peak"
        )


def main() -> None:
    enter_namespace()  # or others' sockets would be counted, too
    nodes = [start("worker", "--listen", each, "--source", f"127.0.1.{n}") for n, each in enumerate(WORKERS, 1)]
    nodes.append(start("target", "--listen", TARGET, "--bind", "127.0.0.1"))
    try:
        told, counted, began, summary = asyncio.run(measure())
    finally:
        for node in nodes:
            node.terminate()
            node.wait()
    print(f"{summary['verdict']} {summary['reasons']}; shards {[each['shards'] for each in summary['workers']]}")
    print(f"opened {summary['attempted']:,}; from due {summary['connect_latency_from_due_us']}")
    report(schedule_of(parse_shape(stage) for stage in STAGES), told, counted, began)


if __name__ == "__main__":
    main()
