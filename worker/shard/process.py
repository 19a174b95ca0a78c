"""The main function of a shard, and its warm-up in the zygote that forks the process."""

from __future__ import annotations

import time
from _socket import AF_INET, SOCK_STREAM, socket
from functools import partial

import trio

from c1m.measure.phase import Phase
from c1m.net.addresses import AddressBlock, AddressPool
from c1m.net.ports import PortRanges
from c1m.net.tuples import Route, TupleSpace
from c1m.orders.codec import from_message, to_message
from c1m.orders.orders import CloseAll, Start
from c1m.orders.shard_settings import ShardSettings
from c1m.processes import link
from c1m.processes.thread_host import name_thread
from c1m.processes.warm_up import specialise
from c1m.schedule.ring import RingShare
from c1m.schedule.schedule import Arrival, Schedule, Stage

from .assignment import ShardAssignment
from .shard import Shard

CONNECTIONS = 40
LOOPBACK = AddressPool((AddressBlock(127 << 24 | 1, 1, 4),))
PORTS = PortRanges(((1024, 65535),))


def main(control: socket, _: list[int]) -> None:
    """Run a shard in the calling thread until its link to the control process closes.

    ``control`` is the shard's end of that link.
    """
    message = link.receive(control)
    if message is None:
        return
    assignment = from_message(message, (ShardAssignment,))
    name_thread(f"c1m-shard {assignment.index}")
    trio.run(Shard(control, assignment).run)


def warm_up() -> None:
    """Do once in the zygote what every shard does: open, report, hold and close.

    Memory pages that this writes need not be copied by each shard: 420 kB less for each.
    """
    specialise(partial(trio.run, perform))


async def perform() -> None:
    """Run a small shard with a listener on loopback, from opening to closing.

    Where loopback is down its connections fail, which is fine here.
    """
    ours, theirs = link.pair()
    listener = socket(AF_INET, SOCK_STREAM)
    listener.bind(("127.0.0.1", 0))
    listener.listen(CONNECTIONS)
    shard = Shard(theirs, rehearsal_of(listener.getsockname()))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(shard.run)
        ours.send(link.encode(to_message(Start(time.monotonic()))))
        await reached(shard, Phase.HOLDING)
        ours.send(link.encode(to_message(CloseAll())))
        await reached(shard, Phase.CLOSED)
        ours.close()
    theirs.close()
    listener.close()


async def reached(shard: Shard, phase: Phase) -> None:
    while shard.driver.phase < phase:
        await trio.lowlevel.checkpoint()


def rehearsal_of(destination: tuple[str, int]) -> ShardAssignment:
    """Return a small shard assignment for the warm-up, whose connections lead to ``destination``."""
    made = ShardAssignment(
        index=0,
        space=TupleSpace(LOOPBACK, PORTS),
        routes=(Route(destination, 0, PORTS.size, CONNECTIONS),),
        share=RingShare(CONNECTIONS, 0, CONNECTIONS),
        settings=ShardSettings(
            schedule=Schedule((Stage(CONNECTIONS, 0, named=False),)),
            peak=CONNECTIONS,
            most_in_flight=CONNECTIONS,
            connect_timeout=1.0,
            lease=1.0,
            seed=0,
            arrival=Arrival.CLOSED_LOOP,
        ),
        descriptors=256,
        tick=1.0,
    )
    return from_message(to_message(made), (ShardAssignment,))
