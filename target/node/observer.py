"""The control process of `c1m-target observe`: watches a server that is not c1m's, and its host. It starts no process for
it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import trio

from c1m.errors import RefusedError
from c1m.kernel import owners, process_footprint, sockdiag
from c1m.kernel.host import HostFacts, network_namespace, read_host
from c1m.kernel.limits import CAP_SYS_PTRACE, why_denied
from c1m.kernel.reader import listening
from c1m.measure.reasons import ASKED
from c1m.measure.sample import Host, Inspection
from c1m.net.ports import PortRanges
from c1m.node.node import Node
from c1m.orders.orders import CloseAll
from c1m.processes.threads import in_thread
from c1m.processes.zygote_client import ZygoteClient

from .listeners import Bind
from .target_node import TargetDescription, TargetOrders, count_local

# Counting ports makes the kernel walk all sockets of the machine, half a second for a million.
COUNT_SHARE = 0.01
FAMILIES: tuple[sockdiag.Family, ...] = (4, 6)  # a dual-stack listener holds its IPv4 clients under 6


class Observer(Node):
    """The control process of a node that watches a server which is not c1m's.

    ``pid`` and its descendants are the server; None means the processes that listen on the ports.
    """

    def __init__(
        self, zygote: ZygoteClient, nursery: trio.Nursery, ports: PortRanges, pid: int | None, *, tunable: bool = False
    ) -> None:
        super().__init__(zygote, nursery, tunable=tunable)
        self.ports = ports
        self.pid = pid
        self.wanted: TargetOrders | None = None  # of the newest run
        self.server: Sequence[int] = ()
        self.chosen: Mapping[str, int] = {}
        self.next_count = 0.0

    async def describe(self) -> TargetDescription:
        return TargetDescription(self.host(), Bind("", self.ports, single_port=False), self.busy_with(), observes=True)

    def host(self) -> Host:
        """Return a description of the host, with the limits that the observed server itself has, as far as it is running."""
        found = super().host()
        own = {"listen_backlog": self.backlog(), "server_descriptors": self.descriptors()}
        known = {name: value for name, value in own.items() if value is not None}
        return replace(found, limits={**found.limits, **known})

    def backlog(self) -> int | None:
        """Return the shortest backlog of the observed server's listeners. None if unknown."""
        try:
            queues = [queue for family in FAMILIES for queue in sockdiag.accept_queues(self.ports.ranges, family).values()]
        except OSError:  # without sock_diag, net.core.somaxconn is all that is known
            return None
        return min((longest for _, longest in queues), default=None)

    def descriptors(self) -> int | None:
        """Return how many descriptors all processes of the observed server may have together. None if unknown."""
        try:
            limits = [process_footprint.descriptor_limit(pid) for pid in self.find_server()]
        except (RefusedError, OSError):  # no process listens yet, or we may not see which does; Prepare reports that
            return None
        return sum(limit for limit in limits if limit is not None) or None

    async def prepare(self, wanted: TargetOrders) -> Sequence[int]:
        """Find the processes of the observed server and begin the run; return no ports.

        Raises RefusedError when the node is busy, or there is no server.
        """
        if self.wanted == wanted and (run := self.on(wanted.run_id)):
            await run.prepared()
            return ()
        self.server = await in_thread(self.find_server)
        node_run = await self.begin_run(wanted.run_id, wanted.lease_seconds, CloseAll(), wanted.operator)
        self.wanted = wanted
        await node_run.supervisor.hire(())
        await node_run.all_ready()
        return ()

    def find_server(self) -> Sequence[int]:
        if self.pid is not None:
            found = owners.family_of(self.pid)
            if not found:
                raise RefusedError(f"there is no process {self.pid} here; give the server's with --pid")
            if network_namespace(self.pid) not in (network_namespace("self"), None):
                raise RefusedError(
                    f"process {self.pid} is in another network namespace, whose connections cannot be counted from here; "
                    f"start this in it: nsenter --net --target {self.pid} c1m-target observe --pid {self.pid} ..."
                )
            return found
        try:
            inodes = {inode for family in FAMILIES for inode in sockdiag.listener_inodes(self.ports.ranges, family)}
        except OSError as error:
            why = sockdiag.why_refused(error)
            raise RefusedError(f"cannot see which process listens on port {self.ports}: {why}; or name it with --pid") from None
        if not inodes:
            raise RefusedError(f"nothing listens on port {self.ports} here; start the server first")
        found = owners.holders(inodes)
        if not found:
            elsewhere = "; it may also be in another PID namespace; name it with --pid"
            lacks = "takes root, or --pid" if os.geteuid() else why_denied(CAP_SYS_PTRACE) + elsewhere
            raise RefusedError(f"cannot see which process listens on port {self.ports}: that {lacks}")
        return found

    def pids(self) -> list[int]:
        """Return the process ids of the observed server: what a connection costs there is what is asked for."""
        return list(self.server)

    def working(self) -> Sequence[int]:
        return self.server

    def levels(self) -> Mapping[str, int]:
        of_ipv4, of_ipv6 = (sockdiag.accept_queues(self.ports.ranges, family) for family in FAMILIES)
        now = time.monotonic()
        if now >= self.next_count:
            self.chosen = chosen_ports(read_host())
            self.next_count = now + (time.monotonic() - now) / COUNT_SHARE
        return {**listening({**of_ipv6, **of_ipv4}), **self.chosen}

    def count(self) -> Inspection:
        self.next_count = 0.0  # the reading that goes with an inspection is up to date
        return count_local(self.ports.ranges, FAMILIES)

    async def stop_accepting(self, run_id: str) -> None:
        """Do nothing: an observed server goes on serving. Raises RefusedError if the node does not know the run."""
        await self.find(run_id)

    async def storm(self, run_id: str, _share: float) -> None:
        """Raise RefusedError always: only the observed server itself closes its connections."""
        raise RefusedError(f"run {run_id}: a server that is only observed cannot be asked to drop its connections")

    async def stop(self, run_id: str) -> None:
        """End the run and return None: whether what the observed server has left open belongs to the run is unknown."""
        await (await self.find(run_id)).stop(CloseAll(), ASKED)


def chosen_ports(host: HostFacts) -> dict[str, int]:
    """Return how many of the ports that the kernel chooses from are in use between one local address and one destination, as
    the level ``chosen_ports``, and how many it can choose from; the fullest such pair counts. Empty if unknown. A server that
    opens connections itself, such as a proxy, gets EADDRNOTAVAIL when all of them are in use.
    """
    if host.ephemeral_range is None:
        return {}
    choosable = PortRanges((host.ephemeral_range,)).without(host.reserved_ports or PortRanges())
    if not choosable.size:
        return {}
    used = max(sockdiag.most_ports(choosable.ranges, family) for family in FAMILIES)
    return {"chosen_ports": used, "choosable_ports": choosable.size}
