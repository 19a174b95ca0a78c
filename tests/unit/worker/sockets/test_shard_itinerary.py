"""The itinerary of a shard: turns among routes, each to its own end, within its own tuples."""

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from c1m.net.addresses import AddressBlock, AddressPool
from c1m.net.ports import PortRanges
from c1m.net.tuples import Address, Route, TupleSpace
from c1m.worker.sockets.route_rotation import RouteRotation

SPACE = TupleSpace(AddressPool((AddressBlock(10 << 24, 7, 4),)), PortRanges(((5000, 5099),)))


@st.composite
def itineraries(draw: st.DrawFn) -> list[Route]:
    """Routes to destinations of their own, somewhere in the space; some want nothing."""
    routes = []
    for index in range(draw(st.integers(0, 6))):
        span = draw(st.integers(0, 40))
        first = draw(st.integers(0, SPACE.size - span))
        routes.append(Route(("10.9.9.9", 80 + index), first, span, draw(st.integers(0, span))))
    return routes


@given(itineraries(), st.integers(1, 16))
def test_every_route_gets_its_connections_from_its_own_tuples(routes: list[Route], chunk: int) -> None:
    rotation = RouteRotation(SPACE, routes)
    used: dict[Address, list[Address]] = {route.destination: [] for route in routes}
    assert rotation.wanted == sum(route.count for route in routes)

    while (leg := rotation.next_leg()) is not None:
        taken = list(islice(leg.tuples, min(chunk, leg.wanted)))
        used[leg.destination] += taken
        leg.wanted -= len(taken)

    assert rotation.wanted == 0
    assert used == {route.destination: list(SPACE.walk(route.first, route.count)) for route in routes}


@given(st.integers(1, 6), st.integers(1, 5))
def test_routes_take_turns(count: int, each: int) -> None:
    rotation = RouteRotation(SPACE, [Route(("10.9.9.9", port), 0, each, each) for port in range(1, count + 1)])
    turns = []

    while (leg := rotation.next_leg()) is not None:
        leg.wanted -= 1
        turns.append(leg.destination[1])

    assert turns == list(range(1, count + 1)) * each


@given(st.lists(st.integers(1, 5), min_size=1, max_size=6))
def test_no_route_waits_longer_than_a_turn_of_the_others(counts: list[int]) -> None:
    rotation = RouteRotation(SPACE, [Route(("10.9.9.9", port), 0, count, count) for port, count in enumerate(counts)])
    waited = dict.fromkeys(range(len(counts)), 0)

    while (leg := rotation.next_leg()) is not None:
        leg.wanted -= 1
        waited = {port: turns + 1 for port, turns in waited.items()}
        assert waited[leg.destination[1]] <= len(counts)
        waited[leg.destination[1]] = 0


def test_a_route_that_was_given_up_is_not_returned_to() -> None:
    rotation = RouteRotation(SPACE, [Route(("10.9.9.9", 1), 0, 9, 9), Route(("10.9.9.9", 2), 9, 1, 1)])
    first = rotation.next_leg()
    assert first is not None
    first.wanted = 0  # its tuples ran out

    second = rotation.next_leg()
    assert second is not None
    assert second.destination == ("10.9.9.9", 2)
    second.wanted = 0
    assert rotation.next_leg() is None


def test_without_routes_there_is_nothing_to_do() -> None:
    assert RouteRotation(SPACE, []).next_leg() is None
