"""The control process of a node: one zygote, at most one engagement, and what every node can tell about its host."""

from __future__ import annotations

import os
import resource
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import trio

from c1m import __version__
from c1m.app.state_directory import state_directory
from c1m.errors import RefusedError, UsageError
from c1m.kernel import meminfo, process_footprint, tuning
from c1m.kernel.host import read_host
from c1m.kernel.limits import read_limits, unknown_limits
from c1m.kernel.machine import read_machine
from c1m.kernel.reader import HostReader, read_levels
from c1m.kernel.slab import read_merged
from c1m.kernel.sysctl import read_sysctl
from c1m.kernel.tuning_record import TuningRecord
from c1m.limits.sysctls import SYSCTLS
from c1m.measure.sample import Change, Host, Inspection
from c1m.processes import descriptors, link
from c1m.processes.threads import in_thread
from c1m.processes.zygote_client import AT_ONCE, ZygoteClient
from c1m.wire import bounds
from c1m.wire.grpc_options import PROTOCOL

from .node_run import LEAVING, NodeRun

LEAST_LEASE_SECONDS = 0.1  # below, it would end before the first watcher is there


class Node(ABC):
    """What workers and targets have in common. Its methods run in the node's trio loop."""

    def __init__(self, zygote: ZygoteClient, nursery: trio.Nursery, *, tunable: bool = False) -> None:
        """``tunable``: whoever commands the node may raise settings of its host."""
        self.zygote = zygote
        self.nursery = nursery
        self.tunable = tunable
        self.node_run: NodeRun | None = None

    # -- the run that the node is busy with

    def busy_with(self) -> str:
        """A run's id, whose it is, and since when; empty when the node is free."""
        run = self.node_run
        if run is None or run.over.is_set():
            return ""
        since = time.strftime("%H:%M:%S", time.localtime(run.since))
        left = run.lease_left()
        lease = "it is being watched" if left == float("inf") else f"nobody watches it, so it ends within {left:.0f} s"
        owner = f" of {run.operator}" if run.operator else ""
        return f"run {run.run_id}{owner} since {since}; {lease}"

    async def begin_run(self, run_id: str, lease_seconds: float, closing: link.Message, operator: str) -> NodeRun:
        """``operator``: whose run it is; empty: unknown, without TLS.

        Raises RefusedError when the node is busy, and UsageError for a run without a name, or a lease that never ends.
        """
        bounds.within("a lease in seconds", lease_seconds, LEAST_LEASE_SECONDS, bounds.LONGEST_LEASE_SECONDS)
        if not 0 < len(run_id) <= bounds.LONGEST_RUN_ID or not run_id.isprintable():
            raise UsageError(f"{run_id[: bounds.LONGEST_RUN_ID]!r} names no run; send 1 to {bounds.LONGEST_RUN_ID} characters")
        if busy := self.busy_with():
            raise RefusedError(f"busy with {busy}")
        node_run = NodeRun(run_id, lease_seconds, closing, HostReader(self.pids, self.working, self.levels))
        node_run.operator = operator
        self.node_run = node_run
        await self.nursery.start(node_run.run, self.zygote)
        return node_run

    def owner_of(self, run_id: str) -> str:
        """Whose a run is; empty: the node is not on it, or without TLS. Any thread may ask: it looks at the engagement once."""
        run = self.on(run_id)
        return run.operator if run else ""

    def on(self, run_id: str) -> NodeRun | None:
        """That run, if the node has it and is not done with it."""
        run = self.node_run
        return run if run and run.run_id == run_id and not run.over.is_set() else None

    async def find(self, run_id: str) -> NodeRun:
        """Raises RefusedError when the node knows no such run."""
        if self.node_run is None or self.node_run.run_id != run_id:
            named = repr(run_id[: bounds.LONGEST_RUN_ID])
            raise RefusedError(f"knows no run {named}: its lease ended, or the node was started again")
        return self.node_run

    def check_processes(self, wanted: int, each: int) -> None:
        """Raises RefusedError for more than this process has room for, which keeps so many descriptors for each.

        While some are forked, it has the other ends of their links, too.
        """
        room = descriptors.usable()
        most = max((room - AT_ONCE) // each, min(room // (each + 1), AT_ONCE))
        if not 1 <= wanted <= most:
            raise RefusedError(
                f"cannot start {wanted:,} processes: each takes {each} descriptors of this one, which has room for {most:,}; "
                f"ask for 1 to {most:,}, or raise its limit with ulimit -Hn"
            )

    async def abandon(self) -> None:
        """Close whatever run there is and wait until it is over; one that was closing already is not waited for."""
        if self.node_run is not None:
            if self.node_run.stopping:
                await self.node_run.supervisor.dismiss()
            await self.node_run.stop(self.node_run.closing, LEAVING)
            await self.node_run.over.wait()

    # -- its host's settings

    async def tune(self, wanted: Mapping[str, str], undo: bool) -> list[Change]:
        """Raise sysctls, or restore what was raised, in whatever process.

        Raises UsageError for both at once; RefusedError when the node may not, is busy, or is asked for others than
        TUNABLE. Nothing here waits for the loop, so that no run can begin meanwhile.
        """
        if not self.tunable:
            raise RefusedError("does not let others change settings of its host; start it with --allow-tune if they may")
        if busy := self.busy_with():
            raise RefusedError(f"changes no settings while it is busy with {busy}")
        if undo and wanted:
            raise UsageError("to restore settings and to raise others are two commands")
        tuned = TuningRecord(state_directory())
        return tuning.undo(tuned) if undo else tuning.tune(tuned, wanted)

    # -- what it can tell

    def host(self) -> Host:
        facts = read_host()
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        state = meminfo.read_memory()
        return Host(
            protocol=PROTOCOL,
            version=__version__,
            boot_id=f"{facts.boot_id} {facts.hostname}",
            hostname=facts.hostname,
            kernel=facts.kernel_release,
            cores=facts.cores,
            memory_total_bytes=state.total_bytes if state else None,
            memory_available_bytes=meminfo.available_bytes(),
            descriptors_per_process=hard,
            # A child takes a link: without a descriptor left for that, this process can start none.
            connections_per_process=descriptors.connections_per_table() if descriptors.usable() else 0,
            network_namespace=facts.netns or 0,
            facts=read_facts(),
            machine=read_machine(),
            merged_caches=read_merged(),
            limits=read_limits(),
            levels=read_levels(),
            unknown=unknown_limits(),
            tunable=self.tunable,
        )

    def pids(self) -> list[int]:
        """The processes of this node."""
        return [os.getpid(), self.zygote.process.pid, *self.working()]

    def working(self) -> Sequence[int]:
        """The processes that open or accept."""
        return self.node_run.supervisor.pids if self.node_run else []

    def levels(self) -> Mapping[str, int]:
        """What only this kind of node has. Raises OSError when the kernel does not say."""
        return {}

    async def inspect_run(self, run_id: str) -> Inspection:
        """The kernel's own count of the run's connections, what the host says now, and the footprint of the processes."""
        node_run = await self.find(run_id)
        # A second each for fifty processes with a million connections: in a thread, so that the loop goes on.
        try:
            counted = await in_thread(self.count)
        except OSError as error:
            counted = Inspection(unknown=(f"the kernel's count: sock_diag says {error.strerror}",))
        counted = await in_thread(footprint, counted, self.pids())
        reading = await node_run.read(walk=False)
        return replace(counted, reading=replace(reading, pss_bytes=counted.pss_bytes))

    @abstractmethod
    def count(self) -> Inspection:
        """What the kernel counts of the run's connections. Raises OSError when it does not say."""


def footprint(count: Inspection, pids: Iterable[int]) -> Inspection:
    """PSS divides shared pages among their users, so it may be added up; RSS counts them again in each process."""
    sizes = [process_footprint.read_footprint(pid) for pid in pids]
    times = [process_footprint.cpu_seconds(pid) for pid in pids]
    if None in sizes or None in times:
        reason = "memory of the node's processes: one ended or /proc does not show it"
        return replace(count, unknown=(*count.unknown, reason))
    return replace(
        count,
        rss_bytes=sum(size.rss_bytes for size in sizes if size),
        pss_bytes=sum(size.pss_bytes for size in sizes if size),
        cpu_seconds=sum(seconds for seconds in times if seconds),
    )


def read_facts() -> dict[str, str]:
    """Those of SYSCTLS that this kernel has and this process may read."""
    texts = {name: read_sysctl(name) for name in SYSCTLS}
    return {name: text for name, text in texts.items() if text is not None}
