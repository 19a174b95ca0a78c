"""The time line of a run: of fixed size however long it goes on, and nothing that is cumulative gets lost in it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c1m.coordinator.ledger.doing import Doing
from c1m.coordinator.ledger.ledger import Ledger
from c1m.coordinator.ledger.loss_reason import LossKind, LossReason
from c1m.coordinator.ledger.node_record import EACH, NodeRecord
from c1m.coordinator.ledger.timeline import ROWS, HostState, NodeState, Timeline, TimelineRow, rises
from c1m.coordinator.summary.timeline import LatencyColumns
from c1m.measure.phase import Phase
from c1m.measure.sample import Reading, Sample
from c1m.measure.tally import Tally

WORKER, TARGET = "worker w:7100", "target t:7200"


# Few pauses that a person can read, or more of them than there are rows.
PAUSES = st.one_of(
    st.lists(st.floats(0.01, 30), max_size=20),
    st.tuples(st.floats(0.2, 5), st.integers(0, 3 * ROWS)).map(lambda drawn: [drawn[0]] * drawn[1]),
)


def moment(opened: int, **counters: int) -> TimelineRow:
    host = HostState(readings=opened + 1, sockets=2 * opened, slab_bytes=4_000 * opened, counters=counters)
    return TimelineRow(opened, opened, 0, 0, opened, opened, {WORKER: NodeState(opened / 1000, None)}, {"h": host})


def line(*moments: TimelineRow, step: float = 1.0) -> Timeline:
    """One a step, the first at the start."""
    made = Timeline()
    made.begin(100.0, lambda: moments[0])
    for index, there in enumerate(moments[1:], 1):
        made.take(100.0 + index * step, lambda: there)
    return made


@given(PAUSES)
def test_it_stays_small_keeps_its_ends_and_loses_nothing(pauses: list[float]) -> None:
    made = Timeline()
    now, opened = 0.0, 0
    made.begin(now, lambda: moment(0))
    for pause in pauses:
        now, opened = now + pause, opened + 3
        made.take(now, lambda: moment(opened, ListenOverflows=opened))
    made.end(now + 0.001, lambda: moment(opened, ListenOverflows=opened))

    told = made.to_summary()
    assert told is not None
    seconds = told.seconds
    assert len(seconds) <= ROWS
    assert seconds[0] == 0.0
    assert seconds[-1] == pytest.approx(now, abs=0.02)
    assert all(before <= after for before, after in pairwise(seconds))
    assert {len(getattr(told, name)) for name in ("established", "opened", "opened_per_second", "accepted")} == {len(seconds)}
    assert sum(events or 0 for events in told.hosts["h"].counters.get("ListenOverflows", [])) == opened


@pytest.mark.parametrize(("rows", "step", "kept"), [(5, 1.0, 5), (ROWS, 2.0, ROWS // 2 + 1), (4 * ROWS, 8.0, ROWS // 2 + 1)])
def test_rows_grow_rarer_as_a_run_grows_longer(rows: int, step: float, kept: int) -> None:
    made = line(*(moment(index) for index in range(rows)))

    assert (made.step_seconds, len(made.rows)) == (step, kept)
    assert made.rows[-1][0] == rows - 1 if rows <= ROWS else made.rows[-1][0] >= rows - step


def test_nothing_is_told_of_a_run_that_never_began() -> None:
    made = Timeline()
    made.take(5.0, lambda: moment(1))
    made.turn(5.0, Doing.OPENING)
    made.end(6.0, lambda: moment(1))

    assert made.to_summary() is None


def test_what_it_did_is_told_once_with_the_time() -> None:
    made = line(moment(0))
    for now, doing in ((100.5, Doing.OPENING), (101.0, Doing.OPENING), (107.25, Doing.HOLDING), (109.0, Doing.CLOSING)):
        made.turn(now, doing)

    told = made.to_summary()
    assert told
    assert [(turn.seconds, turn.doing) for turn in told.turns] == [(0.5, "opening"), (7.25, "holding"), (9.0, "closing")]


def test_only_what_rose_and_what_moved_is_told() -> None:
    states = [
        HostState(1, 10, 100, {"tcp_orphans": 0, "open_files": 5}, {"ListenDrops": 0, "TCPTimeouts": 0}),
        HostState(2, 10, 100, {"tcp_orphans": 0, "open_files": 6}, {"ListenDrops": 0, "TCPTimeouts": 4}),
    ]
    told = line(*(TimelineRow(0, 0, 0, 0, None, None, {}, {"h": state}) for state in states)).to_summary()

    assert told
    host = told.hosts["h"]
    assert (host.counters, host.levels) == ({"TCPTimeouts": [0, 4]}, {"open_files": [5, 6]})
    assert (host.sockets, host.slab_bytes, told.accepted) == ([10, 10], [100, 100], [None, None])


def test_an_interval_without_a_reading_is_unknown_and_its_events_are_in_the_next() -> None:
    states = [
        HostState(number, 1, 1, {}, {"ListenDrops": events}) for number, events in ((1, 0), (1, 0), (2, 7), (2, 7), (3, 8))
    ]
    told = line(*(TimelineRow(0, 0, 0, 0, 0, 0, {}, {"h": state}) for state in states)).to_summary()

    assert told
    assert told.hosts["h"].counters == {"ListenDrops": [0, None, 7, None, 1]}
    assert told.hosts["h"].sockets == [1, None, 1, None, 1]


@pytest.mark.parametrize(
    ("cumulative", "told"),
    [
        ([0, 2, 5], [0, 2, 3]),
        ([4, 4], [4, 0]),  # rose before the first row
        ([None, 3, None, 5], [None, 3, None, 2]),
        ([5, 1, 3], [5, None, 2]),  # a counter that wrapped
    ],
)
def test_what_rose_is_told_by_interval(cumulative: list[int | None], told: list[int | None]) -> None:
    assert rises(cumulative) == told


def test_rates_are_of_the_interval_that_ends_with_the_row() -> None:
    told = line(moment(0), moment(100), moment(150), step=2.0).to_summary()

    assert told
    assert told.opened_per_second == [None, 50.0, 25.0]
    assert told.nodes[WORKER].cpu_percent == [None, 5.0, 2.5]


def test_latencies_are_of_what_was_measured_in_the_interval() -> None:
    rows = [{}, {100: 99}, {100: 99}, {100: 99, 5_000: 1, 900: 3}]
    told = line(*(TimelineRow(0, 0, 0, 0, 0, 0, latencies={"connect_latency_us": counts}) for counts in rows)).to_summary()

    assert told
    assert told.connect_latency_us == LatencyColumns(
        count=[0, 99, 0, 4],
        p50=[None, 100, None, 900],
        p99=[None, 100, None, 5_000],
        max=[None, 100, None, 5_000],
    )


# -- moments, out of a ledger


def reading(number: int, **counters: int) -> Reading:
    return Reading(number, 7, 1_000, 2_000, counters=counters, levels={"tcp_mem_pages": 3})


def ledger(workers: int, host_of: Callable[[int], str], *, accepting: bool = True) -> Ledger:
    made = Ledger(
        [NodeRecord(f"worker {index}", 10, host_of(index)) for index in range(workers)],
        NodeRecord(TARGET, 10, "t"),
        accepting=accepting,
    )
    for entry in made.entries:
        for number in (0, 1):
            tally = Tally(attempted=9, opened=9, failed={"ETIMEDOUT": 1}, dropped={"peer_reset": 2})
            made.take(entry, Sample(Phase.HOLDING, tally, cpu_seconds=1.5, reading=reading(number, ListenDrops=5 * number)))
    return made


def test_nodes_of_one_host_have_its_readings_once() -> None:
    there = ledger(2, lambda _: "t").moment()

    assert list(there.hosts) == [f"{TARGET}, worker 1, worker 0"]
    assert there.hosts[f"{TARGET}, worker 1, worker 0"] == HostState(2, 7, 1_000, {"tcp_mem_pages": 3}, {"ListenDrops": 5})
    assert set(there.nodes) == {"worker 0", "worker 1", TARGET}
    assert (there.established, there.failed, there.dropped, there.accepted, there.target_open) == (14, 2, 4, 9, 7)


def test_a_large_fleet_is_added_up_beside_the_target() -> None:
    there = ledger(EACH + 5, str).moment()

    assert list(there.nodes) == [f"{EACH + 5} workers", TARGET]
    assert there.nodes[f"{EACH + 5} workers"] == NodeState(1.5 * (EACH + 5), 2_000 * (EACH + 5))
    assert list(there.hosts) == [TARGET, f"{EACH + 5} other hosts"]
    assert there.hosts[f"{EACH + 5} other hosts"].counters == {"ListenDrops": 5 * (EACH + 5)}


@pytest.mark.parametrize("workers", [2, 300])
def test_latencies_of_a_fleet_are_added_up(workers: int) -> None:
    made = ledger(workers, str)
    for entry in made.workers:
        made.take(
            entry,
            Sample(Phase.HOLDING, histograms={"heartbeat_rtt_us": {100: 3}, "first_byte_us": {7: 3}, "alive_after_us": {9: 1}}),
        )

    there = made.moment().latencies
    assert list(there) == ["first_byte_us", "heartbeat_rtt_us"]
    assert [sum(counts.values()) for counts in there.values()] == [3 * workers] * 2
    assert made.moment().latencies["first_byte_us"] is there["first_byte_us"], "rows share what does not change"


def test_a_lost_node_has_no_more_moments() -> None:
    made = ledger(1, str)
    for entry in made.entries:
        made.lose(entry, LossReason(LossKind.ENDED), 0.0)

    there = made.moment()
    assert (there.hosts, there.nodes, there.accepted, there.opened) == ({}, {}, None, 9)


def test_an_observer_counts_nothing_that_was_accepted() -> None:
    there = ledger(1, str, accepting=False).moment()

    assert (there.accepted, there.target_open) == (None, None)
