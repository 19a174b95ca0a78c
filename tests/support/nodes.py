"""Worker and target nodes in this process, without gRPC: their children are tasks, threads, or played by the test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import trio
from acceptors import TABLE
from in_process import Begin, InProcessZygote, Script, ShardTasks, acceptors_in
from prepare_requests import sound
from shards import LONG_SECONDS, PORTS, SOURCES, space

from c1m.measure.phase import Close
from c1m.measure.sample import Sample
from c1m.measure.sampling import SamplingInterval
from c1m.measure.tally import Tally
from c1m.net.addresses import AddressPool
from c1m.net.ports import PortRanges
from c1m.net.tuples import Address
from c1m.node.node import Node
from c1m.node.node_run import NodeRun
from c1m.schedule.schedule import NANOSECONDS, Arrival
from c1m.target.node.listeners import Bind
from c1m.target.node.target_node import TargetNode, TargetOrders
from c1m.v1 import node_pb2, worker_pb2
from c1m.worker.node.allow_list import AllowList
from c1m.worker.node.quotas import Quotas
from c1m.worker.node.requests import preparation
from c1m.worker.node.worker_node import WorkerNode, WorkerOrders

AT_ONCE = SamplingInterval(0.0, 1)
LISTENED = PortRanges(((41_000, 41_499),))  # by targets of these tests


def request(
    total: int,
    *destinations: Address,
    run_id: str = "r",
    shards: int = 1,
    spare: int = 0,
    peak: int = 0,
    stages: Sequence[tuple[int, float]] = (),
    arrival: Arrival = Arrival.CLOSED_LOOP,
    **changes: Any,
) -> worker_pb2.PrepareRequest:
    """Return a request to open so many connections, as fast as possible, from this number of shards."""
    made = sound()
    made.run_id, made.peak, made.arrival, made.most_in_flight = run_id, max(peak, total), arrival.value, total  # type: ignore[assignment]
    del made.shards[:], made.sources[:], made.ports[:], made.schedule.stages[:]
    made.sources.add(first=space().sources.at(0), count=SOURCES)
    for low, high in PORTS.ranges:
        made.ports.add(low=low, high=high)
    for number, seconds in stages or [(total, 0.0)]:
        made.schedule.stages.add(total=number, within_ns=round(seconds * NANOSECONDS))
    each, first = total // (shards * len(destinations)), 0
    for index in range(shards):
        shard = made.shards.add(first_point=index * each * len(destinations))
        for host, port in destinations:
            where = node_pb2.Address(host=host, port=port)
            shard.routes.add(first=first, span=each + spare, count=each, destination=where)
            first += each + spare
    made.MergeFrom(worker_pb2.PrepareRequest(**changes))
    return made


def worker_orders(*wanted: Any, operator: str = "", **changes: Any) -> WorkerOrders:
    """Return what the node is to do for a ``request``, with small tables."""
    made = preparation(request(*wanted, **changes), operator)
    return replace(made, shards=[replace(shard, descriptors=TABLE) for shard in made.shards])


def target_orders(acceptors: int = 1, run_id: str = "r", **changes: Any) -> TargetOrders:
    made = TargetOrders(run_id, "", acceptors, Close.RESET, 15.0, 0.0, b"", AddressPool())
    return replace(made, **changes)


class Running:
    """A node, and what was asked of its zygote."""

    def __init__(self, zygote: InProcessZygote, script: Script | None, tasks: ShardTasks | None) -> None:
        self.zygote = zygote
        self.played = script
        self.tasks = tasks

    @property
    def script(self) -> Script:
        assert self.played
        return self.played


def run_of(node: Node) -> NodeRun:
    assert node.node_run
    return node.node_run


def sample(node: Node) -> Sample:
    return run_of(node).sample(-1, AT_ONCE)


def tally(node: Node) -> Tally:
    return run_of(node).supervisor.tally()


async def until(node: Node, condition: Callable[[], object]) -> None:
    """Wait for the news of the node's run until the condition holds."""
    run = run_of(node)
    with trio.fail_after(LONG_SECONDS):
        while not condition():
            await run.changed.wait()


@asynccontextmanager
async def worker(
    *, plays: bool = False, allow: AllowList | None = None, quotas: Quotas | None = None, **changes: Any
) -> AsyncIterator[tuple[WorkerNode, Running]]:
    """A worker whose shards are tasks, or are played by the test."""
    async with trio.open_nursery() as children, trio.open_nursery() as nursery:
        script, tasks = (Script(children), None) if plays else (None, ShardTasks(children))
        begin: Begin = script.begin if script else tasks.begin  # type: ignore[union-attr]
        zygote = InProcessZygote(begin)
        sources, ports = changes.pop("sources", ()), changes.pop("ports", None)
        node = WorkerNode(zygote, nursery, sources, ports, allow or AllowList(), quotas or Quotas(), **changes)
        yield node, Running(zygote, script, tasks)
        await leave(node)
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def target(
    *, plays: bool = False, bind: Bind | None = None, only_run_sources: bool = False, **changes: Any
) -> AsyncIterator[tuple[TargetNode, Running]]:
    """A target whose acceptors are threads, or are played by the test."""
    async with trio.open_nursery() as children, trio.open_nursery() as nursery:
        script = Script(children) if plays else None
        zygote = InProcessZygote(script.begin if script else acceptors_in(trio.lowlevel.current_trio_token()))
        where = bind or Bind("127.0.0.1", LISTENED, single_port=False)
        node = TargetNode(zygote, nursery, where, only_run_sources=only_run_sources, **changes)
        yield node, Running(zygote, script, None)
        await leave(node)
        nursery.cancel_scope.cancel()


async def leave(node: Node) -> None:
    with trio.fail_after(LONG_SECONDS):
        await node.abandon()
