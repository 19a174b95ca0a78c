"""The real programs as processes, wherever a test wants them; each ends with its block, however that ends."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import IO, Any

PATIENCE_SECONDS = 60.0  # for what takes a moment: the machine may be slow, and full of work
READY = "listening on "


@cache
def first() -> tuple[str, ...]:
    """What goes before a command that is not to wait for a CPU, whatever else the machine does; root's only.

    Niceness is not enough for that, since others' nodes have it as well; not every container lets its root have what is.
    """
    realtime = ("chrt", "--rr", "1")
    allowed = subprocess.run([*realtime, "true"], check=False, capture_output=True).returncode == 0
    return realtime if allowed else ("nice", "-n", "-20")


@contextmanager
def node(
    program: str, *words: str, inside: Sequence[str] = (), stderr: IO[str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """c1m-worker or c1m-target, once it can be called. ``inside`` goes before the command."""
    command = [*inside, sys.executable, "-m", f"c1m.{program}", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)
    try:
        line = first_line(process)
        assert line.startswith(READY), line
        yield process
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], PATIENCE_SECONDS)
    return process.stdout.readline() if ready else ""


def run_coord(*words: str, inside: Sequence[str] = (), **environment: str) -> subprocess.CompletedProcess[str]:
    command = [*inside, sys.executable, "-m", "c1m.coordinator", "run", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=100, env={**os.environ, **environment})


def summary_of(*words: str) -> dict[str, Any]:
    """Of a run, which says it alone on stdout."""
    ended = run_coord(*words, "--json", "-")
    assert ended.stdout, ended.stderr
    summary: dict[str, Any] = json.loads(ended.stdout)
    return summary


@contextmanager
def coordinator(*words: str, inside: Sequence[str] = ()) -> Iterator[subprocess.Popen[str]]:
    """c1m-coord run, whose stderr can be read while it goes on."""
    command = [*inside, sys.executable, "-m", "c1m.coordinator", "run", *words]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert process.stderr is not None
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.stderr.close()
        process.wait()


def until_it_says(coord: subprocess.Popen[str], doing: str) -> None:
    assert coord.stderr is not None
    assert any(line.startswith(doing) for line in coord.stderr), f"it never said that it was {doing}"


@contextmanager
def holding_at(nodes: Sequence[str], *words: str) -> Iterator[subprocess.Popen[str]]:
    """A coordinator whose run holds; after the block it goes on to its end."""
    with coordinator(*nodes, *words) as coord:
        until_it_says(coord, "holding")
        yield coord
        assert coord.stderr is not None
        coord.stderr.read()
        coord.wait(PATIENCE_SECONDS)


def children_of(pid: int) -> dict[int, str]:
    """pid -> name of every process below one, by /proc."""
    parents: dict[int, tuple[int, str]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as stat:
                    before, _, after = stat.read().rpartition(")")
            except OSError:
                continue
            parents[int(entry)] = (int(after.split()[1]), before.partition("(")[2])
    found: dict[int, str] = {}
    grew = True
    while grew:
        new = {child: name for child, (parent, name) in parents.items() if parent in {pid, *found} and child not in found}
        grew = bool(new)
        found |= new
    return found


def eventually(true: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> bool:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)  # a bounded poll: neither /proc, nor the kernel's tables, nor a journal tell when they change
    return True


def all_gone(pids: Sequence[int], seconds: float = PATIENCE_SECONDS) -> bool:
    """Whether none of them runs any more, within the time; a zombie does not run."""
    return eventually(lambda: not any(running(pid) for pid in pids), seconds)


def running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
