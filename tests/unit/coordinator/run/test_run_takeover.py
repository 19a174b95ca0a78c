"""Coordinators that die at each step of a run, and others that take the run over from the journal, in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from simulated import RUN_ID, USUAL, Left, Ran, Scene

from c1m.coordinator.journal.journal import Journal
from c1m.coordinator.journal.replay import replay
from c1m.errors import UnreachableError, UsageError
from c1m.measure.phase import Phase
from c1m.schedule.schedule import Stage, nanoseconds
from c1m.testing.simulated_fleet import SimulatedFleet

STEPS = ["opening", "holding", "calming", "closing"]


def leave(tmp_path: Path, step: str | float, fleet: SimulatedFleet | None = None, **settings: Any) -> tuple[Ran, Left]:
    """Do a run to its end. Return it, and what its coordinator would have left behind at a step, or after so many seconds."""
    fleet, left = fleet or SimulatedFleet(), list[Left]()
    journal = Journal(tmp_path / f"{RUN_ID}.journal")

    def die() -> None:
        left.append(Left.by(fleet, journal, tmp_path / "left.journal"))

    scene = Scene(fleet, {**USUAL, **settings}, journal=journal)
    when: dict[Any, Callable[[], None]] = scene.on if isinstance(step, str) else scene.at  # type: ignore[assignment]
    when[step] = die
    ran = scene.play()
    journal.close()
    return ran, left[0]


@pytest.mark.parametrize("step", STEPS)
def test_a_run_is_taken_over_at_the_step_where_it_was_left(step: str, tmp_path: Path) -> None:
    first, left = leave(tmp_path, step, lifetime="fixed:1000s")

    ran = left.taken_over()

    assert first.verdict == "passed"
    assert ran.view.steps == STEPS[STEPS.index(step) :]
    (takeover,) = ran.summary["takeovers"]
    assert takeover["silent_to_seconds"] - takeover["silent_from_seconds"] == pytest.approx(2, abs=0.5)
    assert all(node.phase is Phase.CLOSED for node in (*left.fleet.workers, left.fleet.target))
    if step != "closing":
        assert ran.summary["established_at_hold_end"] == 100
        assert ran.verdict == "passed"


def closing_of(ran: Ran) -> float:
    """When a run began to close, in seconds after its start."""
    assert ran.outcome.ledger
    return next(at for at, word in ran.outcome.ledger.timeline.turns if word == "closing")


def test_a_hold_that_is_taken_over_ends_when_it_would_have(tmp_path: Path) -> None:
    first, left = leave(tmp_path, 9.0)

    ran = left.taken_over()

    ends = [
        [at for at, word in each.outcome.ledger.timeline.turns if word == "closing"]
        for each in (first, ran)
        if each.outcome.ledger
    ]
    assert ends[1] == pytest.approx(ends[0], abs=0.5)
    assert ran.verdict == "passed"


def test_the_journal_of_a_run_that_was_taken_over_tells_the_same(tmp_path: Path) -> None:
    _, left = leave(tmp_path, 9.0)

    ran = left.taken_over()

    again = replay(left.journal)
    assert again.takeovers == ran.outcome.takeovers
    assert again.hold_end == ran.outcome.hold_end
    assert again.ended_at == ran.outcome.ended_at


def test_a_run_that_was_left_while_it_was_prepared_opens_nothing(tmp_path: Path) -> None:
    fleet = SimulatedFleet()
    for node in (*fleet.workers, fleet.target):
        node.answers_after = 1.0
    _, left = leave(tmp_path, 4.5, fleet)  # described, the target prepared, the workers prepared, and asked to start

    ran = left.taken_over()

    assert ran.verdict == "degraded"
    assert "the run was still being prepared when its coordinator ended, and nothing was opened" in ran.reasons
    assert all(node.phase is Phase.CLOSED for node in (*left.fleet.workers, left.fleet.target))


def test_a_run_whose_lease_has_ended_cannot_be_taken_over(tmp_path: Path) -> None:
    _, left = leave(tmp_path, 9.0)

    with pytest.raises(UnreachableError, match="cannot be taken over"):
        left.taken_over(after=60)


def test_a_run_that_is_over_cannot_be_taken_over(tmp_path: Path) -> None:
    """Its nodes have closed, and the journal is complete."""
    fleet = SimulatedFleet()
    _, left = leave(tmp_path, 9.0, fleet)
    left.fleet, left.at, left.journal = fleet, left.at + 60, tmp_path / f"{RUN_ID}.journal"
    for worker in fleet.workers:
        worker.phase, worker.unwatched_since = Phase.HOLDING, left.at

    with pytest.raises(UsageError, match="is over"):
        left.taken_over()


@pytest.mark.parametrize("on_loss", ["continue", "redistribute"])
def test_a_worker_that_died_with_the_coordinator_is_lost(on_loss: str, tmp_path: Path) -> None:
    _, left = leave(tmp_path, 9.0, on_loss=on_loss)
    left.fleet.workers[0].gone = True
    left.fleet.target.lose_clients(50)

    ran = left.taken_over()

    (loss,) = ran.summary["losses"]
    assert "Connection refused" in loss["reason"]
    assert loss["taken_by"] == ({"worker 10.0.0.2:7100": 50} if on_loss == "redistribute" else {})
    assert ran.summary["established_at_hold_end"] == (100 if on_loss == "redistribute" else 50)


def test_a_worker_that_closed_meanwhile_is_lost(tmp_path: Path) -> None:
    _, left = leave(tmp_path, 9.0)
    worker = left.fleet.workers[0]
    worker.phase, worker.lease = Phase.CLOSING, 1000.0
    worker.closes_slowly = 1000.0
    worker.closing_at = left.at

    ran = left.taken_over()

    assert "has closed, since no coordinator had watched it for the length of its lease" in ran.reasons


def test_a_loss_that_was_not_handled_is_handled(tmp_path: Path) -> None:
    """The worker was lost while all others were slow to answer, and the coordinator died before they had."""
    fleet = SimulatedFleet(3)
    scene_at = 9.0

    def slow() -> None:
        fleet.workers[0].die()
        for worker in fleet.workers[1:]:
            worker.answers_after = 3.0

    left: list[Left] = []
    journal = Journal(tmp_path / f"{RUN_ID}.journal")
    scene = Scene(
        fleet,
        {**USUAL, "total": "90", "on_loss": "redistribute"},
        at={
            scene_at: slow,
            scene_at + 2: lambda: left.append(Left.by(fleet, journal, tmp_path / "left.journal")),
        },
        journal=journal,
    )
    first = scene.play()
    journal.close()
    assert first.verdict == "passed"
    for worker in left[0].fleet.workers:
        worker.answers_after = 0.0

    ran = left[0].taken_over()

    (loss,) = ran.summary["losses"]
    assert loss["taken_by"] == {"worker 10.0.0.2:7100": 15, "worker 10.0.0.3:7100": 15}
    assert ran.summary["established_at_hold_end"] == 90
    assert ran.verdict == "passed"


def test_a_retarget_that_came_while_nobody_watched_is_followed(tmp_path: Path) -> None:
    _, left = leave(tmp_path, 9.0)
    for worker in left.fleet.workers:
        assert worker.schedule
        worker.schedule = worker.schedule.retargeted(nanoseconds(10), [Stage(60, nanoseconds(2))])

    ran = left.taken_over()

    assert ran.view.steps == ["following", "holding", "closing"]
    assert (ran.verdict, ran.summary["established_at_hold_end"]) == ("passed", 60)


def test_a_storm_that_was_due_while_nobody_watched_is_reported(tmp_path: Path) -> None:
    _, left = leave(tmp_path, 9.0, storm=["at=10s,drop=50%,by=target", "at=13s,drop=10%,by=target"], reopen="True")

    ran = left.taken_over()

    assert ran.verdict == "degraded"
    assert "a storm could not be made: it was due 10 s after the start, when there was no coordinator" in ran.reasons
    assert left.fleet.target.calls.count("storm") == 1
