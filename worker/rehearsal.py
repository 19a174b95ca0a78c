"""What a shard is to do when it is only rehearsed: open some connections within the machine."""

from __future__ import annotations

from c1m.addresses import AddressBlock, AddressPool
from c1m.dealing import Share
from c1m.ports import PortRanges
from c1m.routes import Address, Route, TupleSpace
from c1m.schedule import Schedule, Stage

from .assignment import ShardAssignment

REHEARSED = 40  # connections
LOOPBACK = AddressBlock(2130706434, 1, 4)  # 127.0.0.2


def rehearsal(destination: Address) -> ShardAssignment:
    space = TupleSpace(AddressPool((LOOPBACK,)), PortRanges(((61_001, 61_999),)))
    return ShardAssignment(
        index=0,
        space=space,
        routes=(Route(destination, 0, space.size, REHEARSED),),
        share=Share(REHEARSED, 0, REHEARSED),
        schedule=Schedule((Stage(REHEARSED, 0),)),
        rushes=True,
        scattered=False,
        oldest_first=True,
        reset=True,
        seed=0,
        descriptors=4 * REHEARSED,
        most_in_flight=4,
        connect_timeout=1.0,
        tick=1.0,
    )
