"""The report of a run with very many workers fits a screen, and leaves no lost one out."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest
from outcomes import finished
from rich.console import Console

from c1m.coordinator.ledger.ledger import Ledger
from c1m.coordinator.ledger.loss_reason import LossKind, LossReason
from c1m.coordinator.ledger.node_record import NodeRecord
from c1m.coordinator.report.memory_tables import MOST_NODES as MOST_MEMORIES
from c1m.coordinator.report.summary_tables import MOST_NODES, print_report
from c1m.coordinator.results.summary import summarise


def report(workers: int, *lost: int) -> str:
    """The report of a run of so many workers, some of which were lost."""
    made = finished()
    ledger = Ledger([NodeRecord(f"worker w{number}:7100", 2) for number in range(workers)], None)
    for number in lost:
        ledger.lose(ledger.workers[number], LossReason(LossKind.SILENT, silent_seconds=4.5), 0.0)
    console = Console(file=StringIO(), width=160)
    print_report(summarise(replace(made, ledger=ledger, plan=None)), console)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("workers", [1, MOST_NODES])
def test_each_of_few_workers_has_a_row(workers: int) -> None:
    text = report(workers)

    assert f"worker w{workers - 1}:7100 " in text
    assert "more: see --json" not in text


def test_of_very_many_workers_the_first_and_the_lost_have_rows() -> None:
    text = report(1_000, 777)

    assert "970 more: see --json" in text
    assert "worker w777:7100 lost" in text
    assert "worker w28:7100 " in text
    assert "worker w500:7100" not in text
    assert f"memory on {1_000 - MOST_MEMORIES} more workers: see --json" in text
