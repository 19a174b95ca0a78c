"""A process that carries more connections than a descriptor table holds: its threads have tables of their own."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from programs import children_of

from c1m.processes.descriptors import RESERVE

TABLE = 400  # descriptors, so that many tables are needed
TOTAL = 3_000
HOLDING = "holding"

# prctl(2), seccomp(2), linux/filter.h and linux/audit.h
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD_WORD, JUMP_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, EPERM = 0x7FFF0000, 0x00050001
UNSHARE = {"x86_64": 272, "aarch64": 97}


def few_descriptors() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (TABLE, TABLE))


def few_descriptors_and_no_unshare() -> None:
    """As in a container: Docker's filter refuses unshare() to whoever has no CAP_SYS_ADMIN."""
    few_descriptors()
    rules = [
        (LOAD_WORD, 0, 0, 0),
        (JUMP_EQUAL, 0, 1, UNSHARE[os.uname().machine]),
        (RETURN, 0, 0, EPERM),
        (RETURN, 0, 0, ALLOW),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *rule) for rule in rules))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(rules), ctypes.addressof(code)))
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program):
        raise OSError("this kernel takes no filter")


def few_descriptors_and_one_processor() -> None:
    """One process then carries all children."""
    few_descriptors()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


@contextmanager
def held(limits: Callable[[], None], told: Path, total: int = TOTAL) -> Iterator[dict[int, str]]:
    """The processes of a run that holds its connections, by name."""
    words = ["--total", str(total), "--hold", "4s", "--json", str(told)]
    command = [sys.executable, "-m", "c1m.coordinator", "run", *words]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=limits) as coord:  # noqa: PLW1509
        assert coord.stderr is not None
        while HOLDING not in coord.stderr.readline():
            assert coord.poll() is None
        yield children_of(coord.pid)
        coord.stderr.read()
        assert coord.wait() == 0


def threads_of(pid: int) -> dict[int, str]:
    """thread -> name."""
    return {
        int(thread): Path(f"/proc/{pid}/task/{thread}/comm").read_text().strip() for thread in os.listdir(f"/proc/{pid}/task")
    }


def named(processes: dict[int, str], name: str) -> list[int]:
    return [pid for pid, called in processes.items() if called.startswith(name)]


@pytest.mark.parametrize("name", ["c1m-shard", "c1m-acceptor"])
def test_a_process_carries_a_child_for_each_table_that_it_needs(name: str, tmp_path: Path) -> None:
    told = tmp_path / "summary.json"
    with held(few_descriptors, told) as processes:
        carriers = named(processes, name)
        carried = [thread for pid in carriers for thread in threads_of(pid).values()]

    assert 1 <= len(carriers) <= len(os.sched_getaffinity(0))
    assert sorted(carried) == sorted(f"{name} {index}" for index in range(len(carried)))
    assert len(carried) * TABLE > TOTAL
    summary = json.loads(told.read_text())
    assert summary["established_at_hold_end"] == summary["reconciliation"]["target_open"] == TOTAL


@pytest.mark.skipif(os.uname().machine not in UNSHARE, reason="the number of unshare() is not known here")
def test_where_threads_get_no_table_every_child_is_a_process(tmp_path: Path) -> None:
    told = tmp_path / "summary.json"
    with held(few_descriptors_and_no_unshare, told) as processes:
        shards = named(processes, "c1m-shard")
        threads = [thread for pid in shards for thread in threads_of(pid)]

    assert len(shards) * TABLE > TOTAL
    assert len(threads) == len(shards)
    assert json.loads(told.read_text())["established_at_hold_end"] == TOTAL


@pytest.mark.parametrize("children", [2, 7, 60])
def test_every_table_is_filled_as_planned_however_many_a_process_carries(children: int, tmp_path: Path) -> None:
    told = tmp_path / "summary.json"
    total = children * (TABLE - RESERVE)
    with held(few_descriptors_and_one_processor, told, total) as processes:
        threads = {name: [len(threads_of(pid)) for pid in named(processes, name)] for name in ("c1m-shard", "c1m-acceptor")}

    summary = json.loads(told.read_text())
    assert threads == {"c1m-shard": [children], "c1m-acceptor": [children]}
    assert (summary["target"]["acceptors"], summary["target"]["acceptors_full"]) == (children, children)
    assert summary["established_at_hold_end"] == summary["target"]["accepted"] == total
    assert summary["reconciliation"]["in_accept_queues"] == 0


CREW = """
import sys, trio
from c1m.measure.reasons import ChildKind
from c1m.processes import link
from c1m.processes.child import ChildSpec
from c1m.processes.children import Supervisor
from c1m.processes.zygote_client import zygote
from crew_of_the_test import Share

async def nothing_follows(dead, exit_reason):
    pass

async def main():
    async with zygote("crew_of_the_test") as made, trio.open_nursery() as nursery:
        crew = Supervisor(made, nursery, lambda: None, nothing_follows)
        recruits = [ChildSpec(ChildKind.UNKNOWN, Share(index, index == 5)) for index in range(8)]
        await crew.hire(recruits)
        with trio.fail_after(60):
            while not crew.exit_reasons:
                await trio.lowlevel.checkpoint()
        print(len(crew.alive), [str(reason) for reason in crew.exit_reasons])
        await crew.dismiss()  # sees that they ended; what the zygote says of each process comes after it
        with trio.fail_after(60):
            while made.status.keys() != {child.pid for child in crew.children}:
                await trio.lowlevel.checkpoint()
        print(sorted(set(made.status.values())))

trio.run(main)
"""

CHILD = """
from dataclasses import dataclass

from c1m.orders.codec import from_message
from c1m.processes import link

@dataclass(frozen=True)
class Share:
    index: int
    breaks: bool

def warm_up():
    pass

def main(end, _):
    if from_message(link.receive(end), [Share]).breaks:
        raise RuntimeError("it had enough")
    link.receive(end)
"""


def test_a_child_that_breaks_takes_nobody_with_it_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "crew_of_the_test.py").write_text(CHILD)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}

    command = [sys.executable, "-c", CREW]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=200, env=environment)

    alive, statuses = told.stdout.splitlines()
    assert alive.startswith("7 ['child 5 (pid ")
    assert "failed: RuntimeError: it had enough" in alive
    assert "256" in statuses  # the wait status of a process that ended with 1: that which carried it
