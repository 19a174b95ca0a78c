"""The control process of a node: its zygote, the run it is busy with if any, and what it reports about its host."""

from __future__ import annotations

import os
import resource
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import trio

from c1m import __version__
from c1m.app.state_directory import state_directory
from c1m.errors import RefusedError, UsageError
from c1m.kernel import meminfo, process_footprint, sockdiag, tuning
from c1m.kernel.host import read_host
from c1m.kernel.limits import read_limits, unknown_limits
from c1m.kernel.machine import read_machine
from c1m.kernel.reader import HostReader, read_levels
from c1m.kernel.slab import SLABINFO, read_merged, why_unreadable
from c1m.kernel.sysctl import read_sysctl
from c1m.kernel.tuning_record import TuningRecord
from c1m.limits.sysctls import SYSCTLS
from c1m.measure.reasons import LEAVING
from c1m.measure.sample import Change, Host, Inspection
from c1m.orders.orders import CloseAll
from c1m.processes import descriptors
from c1m.processes.threads import in_thread
from c1m.processes.zygote_client import AT_ONCE, ZygoteClient
from c1m.wire import bounds
from c1m.wire.grpc_options import PROTOCOL

from .node_run import NodeRun

LEAST_LEASE_SECONDS = 0.1  # a shorter lease could end before the first watcher arrives


class Node(ABC):
    """The control process of a node; base class of worker and target nodes.

    The methods run in the node's trio loop unless they say otherwise.
    """

    def __init__(self, zygote: ZygoteClient, nursery: trio.Nursery, *, tunable: bool = False) -> None:
        """``tunable``: the coordinator may raise settings of this host."""
        self.zygote = zygote
        self.nursery = nursery
        self.tunable = tunable
        self.node_run: NodeRun | None = None
        self.identity = secrets.token_hex(8)  # equal for all addresses under which a coordinator calls this process

    # -- the run that the node is busy with

    def busy_with(self) -> str:
        """Return a description of the run that the node is busy with, as part of a sentence: its id, operator, start and lease.

        Empty if the node is free.
        """
        run = self.node_run
        if run is None or run.over.is_set():
            return ""
        since = time.strftime("%H:%M:%S", time.localtime(run.since))
        left = run.lease_left()
        lease = "it is being watched" if left == float("inf") else f"no coordinator watches it, so it ends within {left:.0f} s"
        owner = f" of {run.operator}" if run.operator else ""
        return f"run {run.run_id}{owner} since {since}; {lease}"

    async def begin_run(self, run_id: str, lease_seconds: float, closing: CloseAll, operator: str) -> NodeRun:
        """Start a run on this node and return it.

        ``operator`` is its owner, or "" without TLS. Raises RefusedError if the node is busy, and UsageError for an invalid run
        id or lease.
        """
        bounds.within("a lease in seconds", lease_seconds, LEAST_LEASE_SECONDS, bounds.LONGEST_LEASE_SECONDS)
        if not 0 < len(run_id) <= bounds.LONGEST_RUN_ID or not run_id.isprintable():
            raise UsageError(f"{run_id[: bounds.LONGEST_RUN_ID]!r} is no run id; send 1 to {bounds.LONGEST_RUN_ID} characters")
        if busy := self.busy_with():
            raise RefusedError(f"busy with {busy}")
        node_run = NodeRun(run_id, lease_seconds, closing, HostReader(self.pids, self.working, self.levels))
        node_run.operator = operator
        self.node_run = node_run
        await self.nursery.start(node_run.run, self.zygote)
        return node_run

    def owner_of(self, run_id: str) -> str:
        """Return the name of the operator who owns the run with this id.

        Empty without TLS or if the node does not have that run. Any thread may call this: it reads ``node_run`` once.
        """
        run = self.on(run_id)
        return run.operator if run else ""

    def on(self, run_id: str) -> NodeRun | None:
        """Return the run with this id, or None if the node does not have it or it is over."""
        run = self.node_run
        return run if run and run.run_id == run_id and not run.over.is_set() else None

    async def find(self, run_id: str) -> NodeRun:
        """Return the node's run with this id, even if the run is over. Raises RefusedError if the node does not know it."""
        if self.node_run is None or self.node_run.run_id != run_id:
            named = repr(run_id[: bounds.LONGEST_RUN_ID])
            raise RefusedError(f"has no run {named}: its lease ended, or the node was restarted")
        return self.node_run

    def check_processes(self, wanted: int, each: int) -> None:
        """Raise RefusedError if this process does not have ``each`` free descriptors for every one of the ``wanted`` children.

        While children are being forked, this process also holds the other ends of their links.
        """
        room = descriptors.usable()
        most = max((room - AT_ONCE) // each, min(room // (each + 1), AT_ONCE))
        if not 1 <= wanted <= most:
            raise RefusedError(
                f"cannot start {wanted:,} processes: each uses {each} descriptors of this process, which has enough for "
                f"{most:,}; ask for 1 to {most:,}, or raise its limit with ulimit -Hn"
            )

    async def abandon(self) -> None:
        """Close the current run, if any, and wait until it is over. A run that is closing already is cut short."""
        if self.node_run is not None:
            if self.node_run.stopping:
                await self.node_run.supervisor.dismiss()
            await self.node_run.stop(self.node_run.closing, LEAVING)
            await self.node_run.over.wait()

    # -- its host's settings

    async def tune(self, wanted: Mapping[str, str], undo: bool) -> list[Change]:
        """Raise sysctls of this host to wanted values, or with ``undo`` restore all that any process of this host has raised,
        and return the changes. Raises UsageError if both are asked for. Raises RefusedError if the node may not change
        settings, is busy, or is asked to change sysctls outside TUNABLE. This method does not await, so no run can begin
        meanwhile.
        """
        if not self.tunable:
            raise RefusedError("does not let coordinators change settings of its host; start it with --allow-tune to permit it")
        if busy := self.busy_with():
            raise RefusedError(f"changes no settings while it is busy with {busy}")
        if undo and wanted:
            raise UsageError("cannot restore settings and raise others at once; use two commands")
        tuned = TuningRecord(state_directory())
        return tuning.undo(tuned) if undo else tuning.tune(tuned, wanted)

    # -- what it reports

    def host(self) -> Host:
        """Return a description of the node's host as it is now: its CPUs, memory, limits and sysctls."""
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
            # Each child needs a link: without a free descriptor for it, this process can start no child.
            connections_per_process=descriptors.connections_per_table() if descriptors.usable() else 0,
            network_namespace=facts.netns or 0,
            facts=read_facts(),
            machine={**read_machine(), "node": self.identity},
            merged_caches=read_merged(),
            limits=read_limits(),
            levels=read_levels(),
            unknown={**unknown_limits(), **({SLABINFO: hidden} if (hidden := why_unreadable()) else {})},
            tunable=self.tunable,
        )

    def pids(self) -> list[int]:
        """Return the ids of all processes of this node: control process, zygote, and those that open or accept connections."""
        return [os.getpid(), self.zygote.process.pid, *self.working()]

    def working(self) -> Sequence[int]:
        """Return the ids of the node's processes that open or accept connections. Empty without a run."""
        return self.node_run.supervisor.pids if self.node_run else []

    def levels(self) -> Mapping[str, int]:
        """Return {name: value} for levels that only this kind of node reads, such as a target's listeners.

        Raises OSError if the kernel does not report them.
        """
        return {}

    async def inspect_run(self, run_id: str) -> Inspection:
        """Return the kernel's count of the run's connections, a reading of the host, and the memory of the node's processes.

        A value that is unknown is None, with the reason in ``unknown``. Raises RefusedError if the node does not know the
        run.
        """
        node_run = await self.find(run_id)
        # Each of these takes a second for fifty processes with a million connections, so they run in a thread.
        try:
            counted = await in_thread(self.count)
        except OSError as error:
            counted = Inspection(unknown=(f"the kernel's count: sock_diag failed: {sockdiag.why_refused(error)}",))
        counted = await in_thread(footprint, counted, self.pids())
        reading = await node_run.read(walk=False)
        return replace(counted, reading=replace(reading, pss_bytes=counted.pss_bytes))

    @abstractmethod
    def count(self) -> Inspection:
        """Return the kernel's count of the run's connections. Raises OSError if the kernel does not report it."""


def footprint(count: Inspection, pids: Iterable[int]) -> Inspection:
    """Return an inspection with the memory and CPU time of some processes added to it.

    PSS divides shared pages among the processes that share them; RSS counts them in each. If one process cannot be read, all
    three values stay unknown.
    """
    sizes = [process_footprint.read_footprint(pid) for pid in pids]
    times = [process_footprint.cpu_seconds(pid) for pid in pids]
    if None in sizes or None in times:
        reason = "memory of the node's processes: a process ended, or /proc does not show it"
        return replace(count, unknown=(*count.unknown, reason))
    return replace(
        count,
        rss_bytes=sum(size.rss_bytes for size in sizes if size),
        pss_bytes=sum(size.pss_bytes for size in sizes if size),
        cpu_seconds=sum(seconds for seconds in times if seconds),
    )


def read_facts() -> dict[str, str]:
    """Return {sysctl: text} for the sysctls in SYSCTLS that this kernel has and this process may read."""
    texts = {name: read_sysctl(name) for name in SYSCTLS}
    return {name: text for name, text in texts.items() if text is not None}
