"""Orders and assignments: over a real link they arrive as they were, whatever record it is."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c1m.measure.phase import Close, CloseOrder
from c1m.net.addresses import AddressBlock, AddressPool
from c1m.net.ports import PortRanges
from c1m.net.tuples import Route, TupleSpace
from c1m.orders.acceptor_assignment import AcceptorAssignment
from c1m.orders.codec import from_message, to_message
from c1m.orders.orders import KINDS, CloseAll, DropShare, Order, Probe, Retarget, Start, decode
from c1m.orders.shard_settings import ShardSettings
from c1m.processes import link
from c1m.schedule.ring import RingShare
from c1m.schedule.schedule import Arrival, Schedule, Stage
from c1m.traffic.backoff import Backoff
from c1m.traffic.distribution import Distribution
from c1m.traffic.heartbeat import Expect, Heartbeat
from c1m.traffic.slow_clients import SlowClients
from c1m.traffic.storm import Storm
from c1m.traffic.turnover import Turnover
from c1m.wire.bounds import MOST_ROUTES
from c1m.worker.shard.assignment import ShardAssignment

SECONDS = st.floats(0, 1e6, allow_nan=False)
COUNTS = st.integers(0, 10**12)
SCHEDULES = st.builds(Schedule, st.lists(st.builds(Stage, COUNTS, COUNTS, st.booleans()), max_size=4).map(tuple))
DISTRIBUTIONS = st.builds(Distribution, st.sampled_from(["fixed", "exp", "uniform"]), SECONDS, SECONDS)
ORDERS = st.one_of(
    st.builds(Start, SECONDS, st.none() | SECONDS, st.dictionaries(st.integers(0, 9), COUNTS, max_size=3)),
    st.builds(Retarget, SCHEDULES, st.integers(0, 9)),
    st.builds(Probe, COUNTS),
    st.builds(DropShare, SECONDS),
    st.builds(CloseAll, st.booleans(), SECONDS),
    st.sampled_from([kind() for kind in KINDS if not kind.__match_args__]),
)
BLOCKS = (AddressBlock(127 << 24 | 1, 9, 4), AddressBlock(127 << 24 | 99, 9, 4))
SPACE = TupleSpace(AddressPool(BLOCKS), PortRanges(((5, 9), (1, 2))))


def over_a_link(record: Any) -> link.Message:
    """Send a record, and return the message that arrives."""
    ours, theirs = link.pair()
    with closing(ours), closing(theirs):
        ours.send(link.encode(to_message(record)))
        message = link.receive(theirs)
    assert message
    return message


@given(ORDERS)
def test_an_order_arrives_as_it_was_sent(order: Order) -> None:
    assert decode(over_a_link(order)) == order


def assignment(**others: Any) -> ShardAssignment:
    settings = ShardSettings(
        schedule=Schedule((Stage(100, 5), Stage(0, 9, named=False))),
        peak=100,
        most_in_flight=5,
        connect_timeout=1.5,
        lease=15.0,
        seed=1 << 60,
        arrival=Arrival.POISSON,
        close=Close.FIN,
        close_order=CloseOrder.RANDOM,
        **others,
    )
    return ShardAssignment(
        index=3,
        space=SPACE,
        routes=(Route(("127.0.0.1", 9), 0, 20, 10), Route(("127.0.0.1", 10), 20, 20, 10)),
        share=RingShare(100, 5, 20),
        settings=settings,
        descriptors=256,
        tick=0.002,
    )


@given(
    st.none() | st.builds(Heartbeat, expect=st.sampled_from(Expect), interval=st.just(2.0), send=st.binary(max_size=5)),
    st.none()
    | st.builds(
        Turnover,
        st.none() | DISTRIBUTIONS,
        DISTRIBUTIONS,
        st.none() | st.builds(Backoff, SECONDS, SECONDS),
        st.lists(st.builds(Storm, SECONDS, SECONDS), max_size=2).map(tuple),
    ),
    st.none() | st.builds(SlowClients, SECONDS, st.binary(max_size=5), st.booleans()),
)
def test_an_assignment_arrives_as_it_was_sent(
    heartbeat: Heartbeat | None, turnover: Turnover | None, slow: SlowClients | None
) -> None:
    sent = assignment(heartbeat=heartbeat, turnover=turnover, slow=slow)

    arrived = from_message(over_a_link(sent), (ShardAssignment,))
    assert arrived == sent
    assert type(arrived.settings.close) is Close


@pytest.mark.parametrize("guests", [None, (), ((5, 6), (7, 8))])
def test_so_does_that_of_an_acceptor(guests: tuple[tuple[int, int], ...] | None) -> None:
    sent = AcceptorAssignment(1, 2, 1, True, 256, 200, 0.5, b"n" * 16, guests)

    assert from_message(over_a_link(sent), (AcceptorAssignment,)) == sent


def test_as_many_routes_as_a_worker_takes_fit_into_one_message() -> None:
    routes = tuple(Route(("127.0.0.1", 1024 + index), index << 20, 1 << 20, 65_535) for index in range(MOST_ROUTES))
    sent = replace(assignment(), routes=routes)

    assert from_message(over_a_link(sent), (ShardAssignment,)) == sent


@pytest.mark.parametrize("message", [{}, {"Fly": ()}, {"ShardAssignment": ()}])
def test_what_is_no_order_is_a_sentence(message: link.Message) -> None:
    with pytest.raises(ValueError, match="is not known here"):
        decode(message)


def test_an_order_with_a_field_too_few_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        decode({"Probe": ()})
