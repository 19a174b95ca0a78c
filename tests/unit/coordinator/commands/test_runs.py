"""c1m-coord runs, from journals on disk."""

from __future__ import annotations

from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

from rich.console import Console

from c1m.coordinator.commands.runs import print_runs, runs_document
from c1m.coordinator.journal.journal import Journal
from c1m.coordinator.journal.recorder import header
from c1m.coordinator.journal.store import shelf_of
from c1m.coordinator.results.outcome import Outcome
from c1m.coordinator.spec.layers import make_spec

THEN = datetime(2026, 12, 1, tzinfo=UTC)


def test_labels_of_runs_are_listed(tmp_path: Path) -> None:
    shelf = shelf_of(tmp_path)
    for run_id, labels in (("20261201T000000-aaaa", ["ticket=C1M-4711", "who=[b]Anna[/b]"]), ("20261201T000001-bbbb", [])):
        spec = make_spec([("here", {"total": 5, "label": labels})])
        journal = Journal(shelf.path_of(run_id))
        journal.record(header(Outcome(run_id, spec, THEN), 0.0, THEN))
        journal.close()

    document = runs_document(shelf)
    assert [list(run.labels) for run in document.runs] == [[], ["ticket=C1M-4711", "who=[b]Anna[/b]"]]
    console = Console(file=StringIO(), width=200)
    print_runs(document, console)
    assert "ticket=C1M-4711 who=[b]Anna[/b]" in console.file.getvalue()  # type: ignore[attr-defined]
