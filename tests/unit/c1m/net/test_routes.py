"""Tuple spaces: a walk is index arithmetic, made fast; parts of a space are as good as the whole."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from c1m.net.addresses import AddressBlock, AddressPool
from c1m.net.ports import PortRanges
from c1m.net.tuples import Address, TupleSpace

BLOCKS = st.builds(lambda first, count: AddressBlock((10 << 24) + first, count, 4), st.integers(0, 30), st.integers(1, 9))
RANGES = st.tuples(st.integers(1_024, 1_060), st.integers(0, 9)).map(lambda pair: (pair[0], pair[0] + pair[1]))
SPACES = st.builds(
    TupleSpace,
    st.lists(BLOCKS, min_size=1, max_size=3).map(lambda blocks: AddressPool(tuple(blocks))),
    st.lists(RANGES, min_size=1, max_size=3).map(lambda ranges: PortRanges(tuple(ranges))),
)


def at(space: TupleSpace, index: int) -> Address:
    """The model: what the module says an index means."""
    return space.sources.at(index % space.sources.size), space.ports.at(index // space.sources.size)


@given(SPACES)
def test_a_whole_walk_visits_every_address_and_port_once(space: TupleSpace) -> None:
    walked = list(space.walk(0, space.size))

    addresses = [space.sources.at(index) for index in range(space.sources.size)]
    ports = [space.ports.at(index) for index in range(space.ports.size)]
    assert len(walked) == space.size
    assert set(walked) == {(address, port) for address in addresses for port in ports}


@given(SPACES, st.data())
def test_a_walk_is_index_arithmetic(space: TupleSpace, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, space.size))
    span = data.draw(st.integers(0, space.size - first))

    assert list(space.walk(first, span)) == [at(space, index) for index in range(first, first + span)]


@given(SPACES, st.data())
def test_the_parts_of_any_split_are_the_whole(space: TupleSpace, data: st.DataObject) -> None:
    cuts = [0, *sorted(data.draw(st.lists(st.integers(0, space.size), max_size=5))), space.size]

    parts = [address for first, end in pairwise(cuts) for address in space.walk(first, end - first)]

    assert parts == list(space.walk(0, space.size))


def test_consecutive_connections_come_from_different_addresses_and_bind_few_ports() -> None:
    space = TupleSpace(AddressPool((AddressBlock(10 << 24, 3, 4),)), PortRanges(((5000, 5001),)))

    assert list(space.walk(1, 4)) == [("10.0.0.1", 5000), ("10.0.0.2", 5000), ("10.0.0.0", 5001), ("10.0.0.1", 5001)]


def test_a_few_tuples_of_a_huge_space_are_walked_without_naming_the_rest() -> None:
    space = TupleSpace(AddressPool((AddressBlock(0xFD << 120, 2**64, 6),)), PortRanges(((1024, 65535),)))

    assert list(space.walk(2**64 - 1, 2)) == [("fd00::ffff:ffff:ffff:ffff", 1024), ("fd00::", 1025)]
