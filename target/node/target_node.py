"""A target's control process: what it can do, and the run that its acceptors serve."""

from __future__ import annotations

import resource
import socket
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import trio

from c1m.errors import RefusedError, UsageError
from c1m.kernel import sockdiag
from c1m.kernel.reader import listening
from c1m.measure.phase import Close
from c1m.measure.reasons import ASKED, UNPREPARED, ChildKind
from c1m.measure.sample import Host, Inspection
from c1m.net.addresses import AddressPool
from c1m.node.node import Node
from c1m.orders.acceptor_assignment import AcceptorAssignment
from c1m.orders.orders import CloseAll, DropShare, StopAccepting
from c1m.processes import descriptors
from c1m.processes.child import Child, ChildSpec
from c1m.processes.threads import in_thread
from c1m.processes.zygote_client import ZygoteClient

from .listeners import Bind, open_listeners

DESCRIPTORS_EACH = 2  # of an acceptor: its listener, and the link to it
STATES = frozenset({sockdiag.ESTABLISHED, sockdiag.CLOSE_WAIT, sockdiag.SYN_RECV})  # of what the kernel has of connections
SETTLE_SECONDS = 0.2  # in which a RST that is on its way arrives


@dataclass(frozen=True, slots=True)
class TargetDescription:
    host: Host
    bind: Bind
    busy_with: str
    observes: bool = False  # the port of a server that is not c1m's
    only_run_sources: bool = False  # whether it accepts connections only from the run's sources


@dataclass(frozen=True, slots=True)
class TargetOrders:
    """What a coordinator asks this target to do in a run: its acceptors, lease and pushes."""

    run_id: str
    operator: str  # the operator of the run; empty: unknown
    acceptors: int
    close: Close
    lease_seconds: float
    push_rate: float  # messages a second to each connection; 0: none
    nonce: bytes  # with which acceptors prove that they are on the run; empty: they do not
    sources: AddressPool  # where its connections come from


class TargetNode(Node):
    def __init__(
        self, zygote: ZygoteClient, nursery: trio.Nursery, bind: Bind, *, only_run_sources: bool, tunable: bool = False
    ) -> None:
        """Create a target node. ``only_run_sources`` is whether to accept connections only from the addresses of the run."""
        super().__init__(zygote, nursery, tunable=tunable)
        self.bind = bind
        self.only_run_sources = only_run_sources
        self.wanted: TargetOrders | None = None  # of the newest run
        self.listeners: Sequence[socket.socket] = ()  # one for each acceptor and its replacement
        self.listening: Sequence[int] = ()  # their ports

    async def describe(self) -> TargetDescription:
        return TargetDescription(self.host(), self.bind, self.busy_with(), only_run_sources=self.only_run_sources)

    async def prepare(self, wanted: TargetOrders) -> Sequence[int]:
        """Start the acceptors of a run and return the port of each.

        Raises RefusedError when the node is busy, or short of ports or descriptors.
        """
        if self.wanted == wanted and (run := self.on(wanted.run_id)):
            await run.prepared()
            return self.listening
        self.check_processes(wanted.acceptors, DESCRIPTORS_EACH)
        node_run = await self.begin_run(wanted.run_id, wanted.lease_seconds, CloseAll(), wanted.operator)
        try:
            listeners = open_listeners(self.bind, wanted.acceptors, wanted.close)
            each = listeners * wanted.acceptors if self.bind.single_port else listeners
            for listener in listeners:
                node_run.belongings.callback(listener.close)
            self.listening = [listener.getsockname()[1] for listener in each]
            self.wanted, self.listeners, node_run.successors = wanted, each, self
            await node_run.supervisor.hire([self.child_spec(index, listener, wanted) for index, listener in enumerate(each)])
            await node_run.all_ready()
        except BaseException:
            await node_run.stop(CloseAll(), UNPREPARED)
            raise
        return self.listening

    def child_spec(self, index: int, listener: socket.socket, wanted: TargetOrders) -> ChildSpec:
        assignment = AcceptorAssignment(
            index=index,
            family=int(listener.family),
            type=int(listener.type),
            shared=self.bind.single_port,
            descriptors=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
            capacity=descriptors.connections_per_table(),
            push_rate=wanted.push_rate,
            nonce=wanted.nonce,
            guests=self.guests(wanted.sources) if self.only_run_sources else None,
        )
        return ChildSpec(ChildKind.ACCEPTOR, assignment, (listener.fileno(),))

    async def successors_of(self, dead: Sequence[Child]) -> list[ChildSpec]:
        """Return specifications of replacements for dead acceptors.

        Connections that come meanwhile wait in the queues of the listeners, which this process holds as well.
        """
        assert self.wanted
        return [self.child_spec(child.index, self.listeners[child.index], self.wanted) for child in dead]

    def give_up(self, child: Child) -> None:
        """Close a dead acceptor's listener, which would listen on while nobody accepts. A shared one is closed with the last
        acceptor.
        """
        supervisor = self.node_run.supervisor.alive if self.node_run else ()
        if not (self.bind.single_port and supervisor):
            self.listeners[child.index].close()

    def guests(self, sources: AddressPool) -> tuple[tuple[int, int], ...]:
        """Return the blocks of the run's source addresses as (first, count), with the first address as an integer."""
        return tuple((block.first, block.count) for block in sources.of_version(self.family).blocks)

    @property
    def ports(self) -> list[tuple[int, int]]:
        return [(port, port) for port in sorted(set(self.listening))]

    @property
    def family(self) -> sockdiag.Family:
        return 6 if ":" in self.bind.host else 4

    def count(self) -> Inspection:
        return count_local(self.ports, (self.family,))

    def levels(self) -> Mapping[str, int]:
        return listening(sockdiag.accept_queues(self.ports, self.family))

    async def stop_accepting(self, run_id: str) -> None:
        """Order every acceptor of the run to stop accepting and to ignore its connections until the end; see
        ``Acceptor.stop_accepting``.
        """
        node_run = await self.find(run_id)
        node_run.settling = True
        await node_run.supervisor.order(StopAccepting())

    async def stop(self, run_id: str) -> int | None:
        """Close all connections of the run.

        Return how many the kernel still had; None where it does not say, or where the run is closed already.
        """
        node_run = await self.find(run_id)
        left = None if node_run.stopping else await self.left()
        await node_run.stop(CloseAll(), ASKED)
        return left

    async def left(self) -> int | None:
        """Return how many of the run's connections are still established, once their number stops changing.

        None if the kernel does not report it.
        """
        before = -1
        while (now := await self.established()) and now != before:
            before = now
            await trio.sleep(SETTLE_SECONDS)
        return now

    async def established(self) -> int | None:
        try:
            return (await in_thread(self.count)).established
        except OSError:
            return None

    async def storm(self, run_id: str, share: float) -> None:
        """Close a share of the connections of every acceptor of the run, and go on accepting.

        Raises UsageError for a share that is not above 0 and up to 1.
        """
        if not 0 < share <= 1:
            raise UsageError(f"a storm takes a share of the connections above 0 and up to 1, not {share:g}")
        await (await self.find(run_id)).supervisor.order(DropShare(share))


def count_local(ports: Sequence[tuple[int, int]], families: Sequence[sockdiag.Family]) -> Inspection:
    """Return how many connections of these local ports the kernel holds: established, those of them not yet accepted, half
    closed, and not wholly established.
    """
    states: Counter[int] = Counter()
    queued = 0
    for family in families:
        states += sockdiag.count_by_state(ports, "local", STATES, family)
        queued += sum(waiting for waiting, _ in sockdiag.accept_queues(ports, family).values())
    return Inspection(
        established=states[sockdiag.ESTABLISHED],
        half_closed=states[sockdiag.CLOSE_WAIT],
        in_accept_queues=queued,
        in_syn_queues=states[sockdiag.SYN_RECV],
    )


def check_bind(bind: Bind) -> None:
    """Raise RefusedError when a target cannot listen on its address and ports now. Returns nothing."""
    try:
        for listener in open_listeners(bind, 1, Close.RESET):
            listener.close()
    except RefusedError as error:
        raise RefusedError(f"c1m-target {error}") from None
