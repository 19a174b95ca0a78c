"""Nodes that are lost at each step of a run, under each policy of --on-loss, and nodes that only seem to be lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from simulated import USUAL, Ran, Scene, play

from c1m.coordinator.fleet.failure_detector import SILENCE_SECONDS
from c1m.errors import RefusedError, UnreachableError
from c1m.measure.phase import Phase
from c1m.measure.reasons import LEAVING
from c1m.testing.simulated_fleet import SimulatedFleet

STEPS = ("opening", "holding", "calming", "closing")
FIRST, TARGET = "worker 10.0.0.1:7100", "target 10.0.1.0:7200"


def lose_first(step: str, policy: str, **settings: str) -> tuple[SimulatedFleet, Ran]:
    """Do a run of three workers, the first of which is killed when the run comes to a step."""
    fleet = SimulatedFleet(3)
    scene = Scene(fleet, {**USUAL, "total": "90", "on_loss": policy, **settings}, on={step: fleet.workers[0].die})
    return fleet, scene.play()


def all_closed(fleet: SimulatedFleet) -> bool:
    return all(node.gone or node.phase is Phase.CLOSED for node in (*fleet.workers, fleet.target))


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("policy", ["continue", "redistribute", "abort"])
def test_a_worker_that_is_killed_is_reported_whatever_the_policy(step: str, policy: str) -> None:
    fleet, ran = lose_first(step, policy, lifetime="fixed:1000s")

    (loss,) = ran.summary["losses"]
    assert (loss["node"], loss["share"]) == (FIRST, 30)
    assert "Connection refused" in loss["reason"]
    assert ran.view.steps[-1] == "closing"
    assert all_closed(fleet)


@pytest.mark.parametrize("step", ["opening", "holding"])
def test_the_run_goes_on_without_a_lost_worker(step: str) -> None:
    _, ran = lose_first(step, "continue")

    assert (ran.verdict, ran.summary["exit_code"]) == ("degraded", 4)
    assert ran.view.steps == ["opening", "holding", "closing"]
    assert ran.summary["established_at_hold_end"] == 60
    assert "Its share of 30 connections is not counted since then" in ran.reasons


@pytest.mark.parametrize("step", ["opening", "holding"])
def test_others_take_over_the_share_of_a_lost_worker(step: str) -> None:
    _, ran = lose_first(step, "redistribute")

    (loss,) = ran.summary["losses"]
    assert loss["taken_by"] == {"worker 10.0.0.2:7100": 15, "worker 10.0.0.3:7100": 15}
    assert ran.summary["established_at_hold_end"] == 90
    assert ran.verdict == "passed"


@pytest.mark.parametrize("step", ["opening", "holding"])
def test_a_loss_aborts_the_run_that_asked_for_it(step: str) -> None:
    _, ran = lose_first(step, "abort")

    assert ran.verdict == "degraded"
    assert "aborted: a node was lost, and the run was started with --on-loss abort" in ran.reasons
    assert ran.outcome.hold_end is None
    assert ran.view.steps == ["opening", *(["holding"] if step == "holding" else []), "closing"]


@pytest.mark.parametrize("step", ["calming", "closing"])
@pytest.mark.parametrize("policy", ["redistribute", "abort"])
def test_no_share_is_moved_when_the_run_is_about_to_be_compared_or_closes(step: str, policy: str) -> None:
    _, ran = lose_first(step, policy, lifetime="fixed:1000s")

    assert ran.outcome.moves == []
    assert ("aborted" in ran.reasons) is (policy == "abort" and step == "calming")


@pytest.mark.parametrize("step", ["opening", "holding"])
def test_a_run_without_workers_ends(step: str) -> None:
    fleet = SimulatedFleet(1)

    ran = play(fleet=fleet, on={step: fleet.workers[0].die})

    assert ran.verdict == "degraded"
    assert "no worker is left: the run ends here" in ran.reasons
    assert fleet.target.phase is Phase.CLOSED


@pytest.mark.parametrize("policy", ["continue", "redistribute", "abort"])
@pytest.mark.parametrize("step", ["opening", "holding", "closing"])
def test_a_lost_target_is_no_share_to_move(step: str, policy: str) -> None:
    fleet = SimulatedFleet(2)

    ran = play({"on_loss": policy}, fleet=fleet, on={step: fleet.target.die})

    (loss,) = ran.summary["losses"]
    assert (loss["node"], loss["share"]) == (TARGET, None)
    assert ran.outcome.moves == []
    assert ran.verdict == "degraded"
    assert ("aborted" in ran.reasons) is (policy == "abort" and step != "closing")
    assert all_closed(fleet)


@pytest.mark.parametrize("role", ["worker", "target"])
def test_a_node_that_is_lost_before_the_start_ends_the_run(role: str) -> None:
    fleet = SimulatedFleet()
    for node in (*fleet.workers, fleet.target):
        node.answers_after = 1.0
    lost = fleet.target if role == "target" else fleet.workers[0]

    with pytest.raises(UnreachableError, match=lost.name):
        play(fleet=fleet, at={2.5: lost.die})

    assert all_closed(fleet)


def test_a_worker_that_does_not_start_is_lost() -> None:
    fleet = SimulatedFleet()
    fleet.workers[0].fails["start"] = UnreachableError(f"{FIRST} did not answer in time")

    ran = play(fleet=fleet)

    assert ran.verdict == "degraded"
    assert ran.summary["losses"][0]["reason"] == f"{FIRST} did not answer in time"


def silence(fleet: SimulatedFleet, seconds: float) -> Callable[[], object]:
    """Return what cuts the first worker off for so many seconds."""
    worker = fleet.workers[0]

    def begin() -> None:
        worker.silent = True
        asyncio.get_running_loop().call_later(seconds, setattr, worker, "silent", False)

    return begin


@pytest.mark.parametrize("seconds", [SILENCE_SECONDS - 1.5, SILENCE_SECONDS + 1.5])
def test_a_node_is_lost_when_it_is_silent_for_too_long_and_not_before(seconds: float) -> None:
    fleet = SimulatedFleet()

    ran = play(fleet=fleet, at={7.0: silence(fleet, seconds)})

    lost = seconds > SILENCE_SECONDS
    assert ran.verdict == ("degraded" if lost else "passed")
    assert (f"{FIRST} has said nothing for {SILENCE_SECONDS:g} s" in ran.reasons) is lost
    assert ran.summary["losses"] == [] or 6 < ran.summary["losses"][0]["at_seconds"] - SILENCE_SECONDS < 8


def test_a_lost_worker_that_can_be_reached_again_closes() -> None:
    fleet = SimulatedFleet()

    ran = play(fleet=fleet, at={7.0: silence(fleet, 6)})

    assert f"{FIRST} could be reached again; it closes its connections of the run" in ran.view.said
    assert fleet.workers[0].phase is Phase.CLOSED


def test_a_worker_that_closes_by_itself_has_left() -> None:
    fleet = SimulatedFleet()

    ran = play({"on_loss": "redistribute"}, fleet=fleet, at={8.0: lambda: fleet.workers[0].leave(LEAVING)})

    (loss,) = ran.summary["losses"]
    assert loss["reason"] == f"{FIRST} closed what it had of the run: it is shutting down"
    assert loss["kind"] == "left"
    assert loss["taken_by"] == {"worker 10.0.0.2:7100": 50}
    assert "stop" not in fleet.workers[0].calls  # it closes already


def test_samples_that_end_too_early_are_a_loss() -> None:
    fleet = SimulatedFleet()

    def end() -> None:
        fleet.workers[0].phase = Phase.CLOSED  # without a reason

    ran = play(fleet=fleet, at={8.0: end})

    assert ran.verdict == "degraded"
    assert f"{FIRST} ended its samples before the run was over" in ran.reasons


def test_a_share_that_nobody_has_room_for_is_not_moved() -> None:
    fleet = SimulatedFleet(2, connections_per_process=50)
    fleet.target.host = SimulatedFleet(1, 1000).target.host
    for worker in fleet.workers:
        worker.fails["add_shards"] = RefusedError(f"{worker.name} takes no more at the moment: quota")

    ran = play({"on_loss": "redistribute"}, fleet=fleet, at={8.0: fleet.workers[0].die})

    (loss,) = ran.summary["losses"]
    assert loss["taken_by"] == {}
    assert "takes no more at the moment: quota" in loss["not_taken"]
    assert ran.verdict == "degraded"


def test_a_worker_that_does_not_answer_when_it_is_asked_for_more_is_lost_too() -> None:
    fleet = SimulatedFleet(3)
    fleet.workers[1].fails["add_shards"] = UnreachableError("worker 10.0.0.2:7100 did not answer in time")

    ran = play({"on_loss": "redistribute", "total": "90"}, fleet=fleet, at={8.0: fleet.workers[0].die})

    assert [loss["node"] for loss in ran.summary["losses"]] == [FIRST, "worker 10.0.0.2:7100"]
    assert ran.summary["losses"][0]["taken_by"] == {"worker 10.0.0.3:7100": 30}
    assert ran.summary["losses"][1]["taken_by"] == {"worker 10.0.0.3:7100": 30}
    assert ran.summary["established_at_hold_end"] == 90


def test_two_workers_lost_one_after_the_other_leave_all_to_the_third() -> None:
    fleet = SimulatedFleet(3)
    deaths = {7.0: fleet.workers[0].die, 12.0: fleet.workers[1].die}

    ran = play({"on_loss": "redistribute", "total": "90"}, fleet=fleet, at=deaths)

    assert fleet.workers[2].open == 0
    assert ran.summary["established_at_hold_end"] == 90
    assert [sum(loss["taken_by"].values()) for loss in ran.summary["losses"]] == [30, 45]
    assert ran.verdict == "passed"


def test_connections_that_a_cut_off_worker_keeps_take_room_at_the_target() -> None:
    fleet = SimulatedFleet(2)
    fleet.target.host = SimulatedFleet(1, 1).target.host  # an acceptor for each connection, and no more than 100 ports

    def cut_off() -> None:
        fleet.workers[0].silent = True

    ran = play({"on_loss": "redistribute"}, fleet=fleet, at={7.0: cut_off})

    (loss,) = ran.summary["losses"]
    assert loss["taken_by"] == {}
    assert loss["not_taken"]
    assert ran.verdict == "degraded"


def test_a_loss_in_a_comparison_ends_the_run_that_asked_for_it() -> None:
    fleet = SimulatedFleet()
    fleet.target.overlooks = 4

    ran = play({"on_loss": "abort"}, fleet=fleet, on={"comparing": fleet.workers[0].die})

    assert ran.view.steps == ["opening", "comparing", "closing"]
    assert ran.outcome.ramp_end is None
    assert "aborted" in ran.reasons


def test_a_node_that_cannot_be_asked_to_close_is_left_to_its_lease() -> None:
    fleet = SimulatedFleet()
    fleet.workers[0].fails["stop"] = UnreachableError(f"{FIRST} did not answer in time")

    ran = play(fleet=fleet)

    assert ran.verdict == "degraded"
    assert f"could not be asked to close: {FIRST} did not answer in time" in ran.reasons
