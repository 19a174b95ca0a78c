"""The table of counters, and what follows from it: links, wire, sums, summary, figures and report."""

from __future__ import annotations

import pytest
from outcomes import document, finished

from c1m.coordinator.ledger.running_totals import RunningTotals
from c1m.coordinator.report.summary_tables import labelled
from c1m.coordinator.spec.metrics import FIGURES
from c1m.measure.counter import Shown
from c1m.measure.phase import Phase
from c1m.measure.sample import Sample
from c1m.measure.tally import COUNTERS, MAPS, NUMBERS, Tally, total
from c1m.v1 import node_pb2
from c1m.wire.node_messages import sample_from_wire, sample_to_wire

FULL = Tally.of((100 + index for index, _ in enumerate(NUMBERS)), ({f"a {name}": 3} for name in MAPS), 2.5)


def test_the_message_of_the_wire_has_a_field_for_each_counter() -> None:
    on_wire = {name for name, counter in COUNTERS.items() if counter.on_wire}

    assert {field.name for field in node_pb2.Tally.DESCRIPTOR.fields} == on_wire == {*NUMBERS, *MAPS}


def test_every_counter_travels_over_links_and_wire() -> None:
    assert Tally.from_message(FULL.to_message()) == FULL
    found = sample_from_wire(sample_to_wire(Sample(Phase.HOLDING, FULL))).tally

    assert {name: getattr(found, name) for name in (*NUMBERS, *MAPS)} == {
        name: getattr(FULL, name) for name in (*NUMBERS, *MAPS)
    }
    assert found.last_opened == 0.0, "a time on another host's clock"


def test_every_counter_adds_up() -> None:
    twice = total([FULL, FULL])
    totals = RunningTotals()
    for _ in range(2):
        totals.replace(Tally(), FULL)

    for name in NUMBERS:
        assert getattr(twice, name) == getattr(totals.tally, name) == 2 * getattr(FULL, name), name
    for name in MAPS:
        assert getattr(twice, name) == getattr(totals.tally, name) == {f"a {name}": 6}, name
    assert twice.last_opened == 2.5


RECORDS = {"heartbeats", "pushes", "sources"}  # of these the summary makes records with the same names


@pytest.mark.parametrize("name", sorted(COUNTERS.keys() - RECORDS))
def test_a_counter_is_where_its_row_says(name: str) -> None:
    row = COUNTERS[name]
    summary, figures = document(finished()), {str(figure): figure for figure in FIGURES}

    for place, node, path in (
        (Shown.RUN, summary, name),
        (Shown.WORKER, summary["workers"][0], f"workers.{name}"),
        (Shown.TARGET, summary["target"], f"target.{name}"),
    ):
        assert (name in node) == (place in row.shown) == (path in figures or f"{path}.*" in figures)
        if path in figures:
            assert (figures[path].meaning, figures[path].unit.value) == (row.meaning, row.unit)
    assert any(label == row.label for label, _ in labelled(FULL)) == bool(row.label)
