"""4-tuples that come back: never two connections on one, never one of another route, never none while there is one."""

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from c1m.addresses import AddressBlock, AddressPool
from c1m.ports import PortRanges
from c1m.routes import Route, TupleSpace
from c1m.worker.tuples import COMPACTED_FROM, Tuples

SPACE = TupleSpace(AddressPool((AddressBlock(10 << 24, 7, 4),)), PortRanges(((5000, 5099),)))


def tuples(first: int, span: int) -> Tuples:
    return Tuples(SPACE, Route(("10.9.9.9", 80), first, span, span))


@st.composite
def spans(draw: st.DrawFn) -> tuple[int, int]:
    span = draw(st.integers(0, 60))
    return draw(st.integers(0, SPACE.size - span)), span


@given(spans(), st.lists(st.booleans() | st.integers(0, 59), max_size=200))
def test_in_use_once_within_the_span_and_the_oldest_first(where: tuple[int, int], steps: list[bool | int]) -> None:
    first, span = where
    route, used = tuples(first, span), {}
    queue = deque(enumerate(SPACE.walk(first, span)))
    for step in steps:
        if step is True or step is False:
            taken = route.take()
            assert taken == (queue.popleft() if queue else None)
            if taken:
                assert taken[0] not in used
                used[taken[0]] = taken[1]
        elif step in used:
            queue.append((step, used.pop(step)))
            route.give_back(step)
        assert route.free == len(queue)


def test_millions_of_turns_need_no_more_memory_than_the_span() -> None:
    route, held = tuples(0, 100), deque[int]()
    for _ in range(50_000):
        if len(held) == 80:
            route.give_back(held.popleft())
        taken = route.take()
        assert taken is not None
        held.append(taken[0])

    assert len(route.freed.numbers) <= 2 * COMPACTED_FROM
    assert route.free == 20
