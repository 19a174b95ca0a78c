"""What the summary says of storms: the fleet's waves, and the accept queues of the target's host between two rows."""

import pytest

from c1m.coordinator.ledger.timeline import HostState, TimelineRow
from c1m.coordinator.results.storm_results import failures, summarise_storms
from c1m.coordinator.summary.codec import to_plain
from c1m.traffic.storm import Storm
from c1m.traffic.turnover import Wave, joined_waves


def row(at: float, overflows: int | None) -> tuple[float, TimelineRow]:
    hosts = {} if overflows is None else {"target": HostState(1, None, None, {}, {"ListenOverflows": overflows, "Other": 7})}
    return at, TimelineRow(0, 0, 0, 0, None, None, {}, hosts)


ROWS = [row(0, 0), row(1, 2), row(2, 2), row(3, 50), row(4, 60), row(5, 61), row(6, 100)]
EARLY, LATE = Storm(2, 0.5, 1), Storm(20, by="target")


def test_a_storm_that_was_over_and_one_that_never_came() -> None:
    early, late = map(to_plain, summarise_storms([LATE, EARLY], [Wave(10, 10, 1.5, 0.25)], ROWS, with_target=True))

    assert (early["at_seconds"], early["dropped"], early["returned"], early["recovery_seconds"]) == (2, 10, 10, 1.5)
    assert (early["slowest_connect_us"], early["drop_percent"], early["return_seconds"]) == (250_000, 50, 1)
    # From 2 to 5 seconds: what was read a second late counts. A counter that is not in the rows had no events.
    assert early["accept_queues"] == {"ListenOverflows": 59, "ListenDrops": 0, "TCPReqQFullDoCookies": 0, "TCPReqQFullDrop": 0}
    assert (late["dropped"], late["recovery_seconds"], late["slowest_connect_us"]) == (0, None, None)
    assert failures([LATE, EARLY], [Wave(10, 10, 1.5, 0.25)]) == [
        "the storm at=20s,drop=100%,by=target dropped no connection; does the run last until then?"
    ]


def test_who_did_not_come_back_is_told() -> None:
    (told,) = map(to_plain, summarise_storms([EARLY], [Wave(10, 9, 1.5, 0.25)], ROWS, with_target=True))

    assert told["recovery_seconds"] is None
    assert "9 of 10 connections that left in the storm at=2s,drop=50%,return=1s came back" in failures([EARLY], [Wave(10, 9)])


def test_who_is_not_asked_for_any_more_need_not_come_back() -> None:
    """The schedule fell meanwhile."""
    (told,) = map(to_plain, summarise_storms([EARLY], [Wave(10, 4, 1.5, 0.25, 6)], ROWS, with_target=True))

    assert (told["returned"], told["forgone"], told["recovery_seconds"]) == (4, 6, 1.5)
    assert failures([EARLY], [Wave(10, 4, 1.5, 0.25, 6)]) == []
    assert failures([EARLY], [Wave(10, 3, 1.5, 0.25, 6)])[0].endswith("came back, and the schedule no longer asked for 6")


@pytest.mark.parametrize(("rows", "with_target"), [(ROWS, False), ([row(0, None), row(9, None)], True), ([], True)])
def test_queues_of_which_nobody_knows_are_unknown(rows: list[tuple[float, TimelineRow]], with_target: bool) -> None:
    (told,) = map(to_plain, summarise_storms([EARLY], [Wave(1, 1, 1, 1)], rows, with_target=with_target))

    assert told["accept_queues"] is None


def test_waves_of_shards_are_one() -> None:
    shards = [(Wave(3, 2, 1.0, 0.1, 1), Wave(5, 5, 2.0, 0.2)), (Wave(4, 4, 3.0, 0.05),), ()]

    assert joined_waves(shards) == (Wave(7, 6, 3.0, 0.1, 1), Wave(5, 5, 2.0, 0.2))
