"""What one acceptor is asked to do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AcceptorAssignment:
    """The listener comes with it, as a descriptor."""

    index: int
    family: int  # of the listener
    type: int  # of the listener
    shared: bool  # whether other acceptors have the same listener
    descriptors: int  # size of the acceptor's descriptor table
    capacity: int  # how many of them are for connections
    push_rate: float  # messages a second to each connection; 0: none
    nonce: bytes  # with which the acceptor proves that it is on the run; empty: it does not
    guests: tuple[tuple[int, int], ...] | None  # the only sources, as (first, count) of addresses; None: all
