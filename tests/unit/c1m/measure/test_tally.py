"""Tallies add up in any order and any grouping, and travel as plain messages."""

import marshal
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from c1m.measure.tally import Tally, total

NUMBERS = st.integers(0, 2**40)
CAUSES = st.dictionaries(st.sampled_from(["ECONNREFUSED", "ETIMEDOUT", "peer_reset", "peer_closed"]), st.integers(1, 2**40))
TALLIES = st.builds(
    Tally,
    attempted=NUMBERS,
    opened=NUMBERS,
    closed=NUMBERS,
    skipped_ports=NUMBERS,
    bytes_received=NUMBERS,
    bytes_sent=NUMBERS,
    last_opened=st.floats(0, 1e9),
    failed=CAUSES,
    dropped=CAUSES,
)


@given(TALLIES, TALLIES, TALLIES)
def test_order_and_grouping_do_not_matter(one: Tally, two: Tally, three: Tally) -> None:
    assert one + (two + three) == (one + two) + three
    assert all(total(order) == one + two + three for order in permutations([one, two, three]))


@given(TALLIES)
def test_nothing_is_the_zero(tally: Tally) -> None:
    assert total([]) == Tally()
    assert tally + Tally() == Tally() + tally == total([tally]) == tally


@given(st.lists(TALLIES, max_size=5))
def test_a_sum_counts_everything_once_and_keeps_the_latest_opening(tallies: list[Tally]) -> None:
    summed = total(tallies)

    for name in ("attempted", "opened", "closed", "skipped_ports", "bytes_received", "bytes_sent", "open", "in_flight"):
        assert getattr(summed, name) == sum(getattr(tally, name) for tally in tallies), name
    for name in ("failed", "dropped"):
        for cause in {cause for tally in tallies for cause in getattr(tally, name)}:
            assert getattr(summed, name)[cause] == sum(getattr(tally, name).get(cause, 0) for tally in tallies), name
    assert summed.last_opened == max((tally.last_opened for tally in tallies), default=0.0)


@given(TALLIES, TALLIES)
def test_adding_changes_neither(one: Tally, other: Tally) -> None:
    before = one.to_message(), other.to_message()

    assert one + other == other + one
    assert (one.to_message(), other.to_message()) == before


@given(TALLIES)
def test_a_message_brings_all_of_it(tally: Tally) -> None:
    assert Tally.from_message(marshal.loads(marshal.dumps(tally.to_message()))) == tally


def test_what_is_open_and_in_flight_is_derived() -> None:
    tally = Tally(attempted=20, opened=10, closed=2, failed={"ECONNREFUSED": 3, "ETIMEDOUT": 1}, dropped={"peer_closed": 4})

    assert (tally.open, tally.in_flight) == (4, 6)
