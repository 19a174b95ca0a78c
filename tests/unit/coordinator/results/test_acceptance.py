"""Whether a server accepted what clients hold: it is counted, observed, shown by its answers, or unknown."""

from __future__ import annotations

from dataclasses import replace

import pytest
from outcomes import TARGET, TOTAL, WORKER, document, finished

from c1m.coordinator.ledger.ledger import Ledger
from c1m.coordinator.ledger.node_record import NodeRecord
from c1m.coordinator.report.summary_tables import verdict_line
from c1m.coordinator.results.acceptance import acceptance
from c1m.coordinator.results.outcome import Outcome
from c1m.coordinator.results.summary import summarise
from c1m.coordinator.summary.summary import Acceptance
from c1m.measure.phase import Phase
from c1m.measure.sample import Inspection, Sample
from c1m.measure.tally import Tally
from c1m.net.endpoints import parse_endpoint


def at_endpoint(heard: int, observed: Inspection | None = None) -> Outcome:
    """A finished run at a server of others, which sent a byte on ``heard`` connections. ``observed``: what an observer saw."""
    made = finished()
    observer = NodeRecord(TARGET, TOTAL) if observed else None
    ledger = Ledger([NodeRecord(WORKER, TOTAL)], observer, accepting=False)
    tally = Tally(attempted=TOTAL, opened=TOTAL)
    ledger.take(ledger.workers[0], Sample(Phase.HOLDING, tally, histograms={"first_byte_us": {80: heard}} if heard else {}))
    assert made.hold_end
    inspections = {**made.hold_end.inspections, **({TARGET: observed} if observed else {})}
    if not observed:
        del inspections[TARGET]
    spec = replace(made.spec, endpoint=parse_endpoint("10.0.0.5:80"))
    return replace(made, spec=spec, ledger=ledger, hold_end=replace(made.hold_end, inspections=inspections))


def test_a_target_of_ours_counts_what_it_accepts() -> None:
    assert acceptance(finished()) is Acceptance.COUNTED
    assert document(finished())["acceptance"] == "counted"


def test_an_observer_sees_the_accept_queues() -> None:
    assert acceptance(at_endpoint(0, Inspection(established=TOTAL, in_accept_queues=0))) is Acceptance.OBSERVED


def test_an_observer_that_could_not_see_them_knows_nothing() -> None:
    assert acceptance(at_endpoint(0, Inspection(established=TOTAL))) is Acceptance.UNKNOWN


def test_a_byte_on_each_connection_shows_it() -> None:
    made = at_endpoint(TOTAL)

    assert acceptance(made) is Acceptance.ANSWERED
    assert document(made)["notes"] == []
    assert "unknown" not in verdict_line(summarise(made))


@pytest.mark.parametrize("heard", [0, TOTAL - 1])
def test_without_that_it_is_unknown_and_the_run_passes_with_a_note(heard: int) -> None:
    made = at_endpoint(heard)
    found = document(made)

    assert (found["verdict"], found["acceptance"]) == ("passed", "unknown")
    (note,) = found["notes"]
    assert f"it has sent a byte on {heard:,} of 2,000" in note
    assert "start c1m-target observe --port 80 on the server's machine and name it with --target" in note
    assert verdict_line(summarise(made)).endswith("(exit code 0); whether the server accepted the connections is unknown")


def test_a_run_that_opened_nothing_has_no_note() -> None:
    made = at_endpoint(0)
    ledger = Ledger([NodeRecord(WORKER, TOTAL)], None)

    assert document(replace(made, ledger=ledger))["acceptance"] == "unknown"
    assert document(replace(made, ledger=ledger))["notes"] == []
