"""4-tuples that come back: never two connections on one, never one of another route, never none while there is one."""

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from c1m.net.addresses import AddressBlock, AddressPool
from c1m.net.ports import PortRanges
from c1m.net.tuples import Address, Route, TupleSpace
from c1m.worker.sockets.route_rotation import COMPACTED_FROM, RouteTuples

SPACE = TupleSpace(AddressPool((AddressBlock(10 << 24, 7, 4),)), PortRanges(((5000, 5099),)))


def leg(first: int, span: int) -> RouteTuples:
    return RouteTuples(0, SPACE, Route(("10.9.9.9", 80), first, span, span))


@st.composite
def spans(draw: st.DrawFn) -> tuple[int, int]:
    span = draw(st.integers(0, 60))
    return draw(st.integers(0, SPACE.size - span)), span


@given(spans(), st.lists(st.booleans() | st.integers(0, 59), max_size=200))
def test_in_use_once_within_the_span_and_the_oldest_first(where: tuple[int, int], steps: list[bool | int]) -> None:
    """A step takes one, or gives one back."""
    route, used = leg(*where), list[Address]()
    queue = deque(SPACE.walk(*where))
    for step in steps:
        if step is True or step is False:
            taken = next(route.tuples, None)
            assert taken == (queue.popleft() if queue else None)
            if taken:
                assert taken not in used
                used.append(taken)
        elif used:
            source = used.pop(step % len(used))
            queue.append(source)
            route.free(source)


def test_millions_of_turns_need_no_more_memory_than_the_span() -> None:
    route, held = leg(0, 100), deque[Address]()
    for _ in range(50_000):
        if len(held) == 80:
            route.free(held.popleft())
        held.append(next(route.tuples))

    assert len(route.freed.numbers) <= 2 * COMPACTED_FROM
    assert len(route.freed) == 20


def test_one_that_is_busy_is_left_alone_unless_it_was_ours() -> None:
    route = leg(0, 2)
    strangers, ours = next(route.tuples), next(route.tuples)
    route.skip(strangers)
    assert next(route.tuples, None) is None

    route.free(ours)
    assert next(route.tuples) == ours
    route.skip(ours)  # in TIME_WAIT, perhaps
    assert next(route.tuples) == ours
