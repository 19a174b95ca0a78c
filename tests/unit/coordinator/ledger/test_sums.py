"""Running sums are the plain ones, whatever samples come, are lost, are late or come twice."""

from collections import Counter
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from c1m.coordinator.ledger.ledger import Ledger
from c1m.coordinator.ledger.loss_reason import LossKind, LossReason
from c1m.coordinator.ledger.node_record import NodeRecord
from c1m.measure.latency import coarser
from c1m.measure.phase import Phase
from c1m.measure.sample import Sample
from c1m.measure.tally import Tally, total

COUNTS = st.integers(0, 2**40)
MAPS = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers(1, 2**40))
TALLIES = st.builds(
    Tally,
    attempted=COUNTS,
    opened=COUNTS,
    closed=COUNTS,
    bytes_sent=COUNTS,
    away=COUNTS,
    half_closed=COUNTS,
    failed=MAPS,
    dropped=MAPS,
    heartbeats=MAPS,
    errors=MAPS,
    sources=MAPS,
    pushes=MAPS,
)


KINDS = ("connect_latency_us", "first_byte_us")
HISTOGRAMS = st.dictionaries(st.sampled_from(KINDS), st.dictionaries(COUNTS, COUNTS, max_size=3))


class Step(NamedTuple):
    node: int
    tally: Tally | None  # None: the node is lost
    histograms: dict[str, dict[int, int]]


STEPS = st.lists(st.builds(Step, st.integers(0, 3), TALLIES | st.none(), HISTOGRAMS), max_size=30)


@given(STEPS)
def test_after_any_samples_and_losses_the_running_sums_are_the_plain_ones(steps: list[Step]) -> None:
    made = Ledger([NodeRecord(f"worker {node}", 10) for node in range(3)], NodeRecord("target", 30))
    peak = 0
    for node, tally, histograms in steps:
        entry = made.entries[node]
        if tally is None:
            made.lose(entry, LossReason(LossKind.ENDED), 0.0)
        else:
            made.take(entry, Sample(Phase.OPENING, tally, histograms=histograms))
        there = total(worker.sample.tally for worker in made.workers if not worker.lost)
        peak = max(peak, there.open) if tally else peak

        assert made.tally == total(worker.sample.tally for worker in made.workers)
        assert made.there.tally == there
        assert made.established == there.open
        assert made.in_use == there.open + there.half_closed + there.in_flight
        assert made.peak == peak
        for kind in KINDS:
            plain = sum((Counter(worker.histograms.get(kind, {})) for worker in made.workers), Counter())
            assert made.histogram(kind) == plain
            assert made.latency_totals.coarser(kind) == coarser(plain)


@given(STEPS, TALLIES)
def test_the_same_sample_again_changes_nothing(steps: list[Step], tally: Tally) -> None:
    once, twice = (Ledger([NodeRecord(f"worker {node}", 10) for node in range(4)], None) for _ in range(2))
    for made, times in ((once, 1), (twice, 2)):
        for node, told, _ in (*steps, Step(0, tally, {})):
            for _ in range(times if told else 1):
                made.take(made.workers[node], Sample(Phase.OPENING, told or Tally()))

    assert once.tally == twice.tally
    assert once.peak == twice.peak


def test_workers_that_have_told_something_before_are_counted() -> None:
    sample = Sample(Phase.HOLDING, Tally(attempted=7, opened=7))

    made = Ledger(
        [NodeRecord("worker a", 7, sample=sample), NodeRecord("worker b", 7, sample=sample, lost=LossReason(LossKind.ENDED))],
        None,
    )

    assert (made.established, made.tally.opened) == (7, 14)
