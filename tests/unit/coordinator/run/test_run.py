"""Whole runs over simulated nodes, in virtual time: what each comes to."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from simulated import USUAL, Ran, Scene, play

from c1m.coordinator.run.closing import CLOSE_SECONDS
from c1m.errors import C1mError, RefusedError, UnreachableError, UsageError
from c1m.measure.phase import Phase
from c1m.measure.reasons import ChildKind, ExitKind, ExitReason, HaltKind, HaltReason
from c1m.measure.sample import Sample
from c1m.measure.tally import Tally
from c1m.schedule.schedule import Stage, nanoseconds
from c1m.testing.simulated_fleet import SimulatedFleet
from c1m.testing.virtual_time import run_virtually


def closed(fleet: SimulatedFleet) -> bool:
    """Whether no node has anything of the run left."""
    nodes = (*fleet.workers, fleet.target)
    return all(node.phase is Phase.CLOSED for node in nodes) and not any(node.open for node in nodes)


# -- runs that go well


def test_a_run_opens_holds_compares_and_closes() -> None:
    fleet = SimulatedFleet()

    ran = play(fleet=fleet)

    assert (ran.verdict, ran.reasons) == ("passed", "")
    assert ran.summary["established_at_hold_end"] == 100
    assert ran.view.steps == ["opening", "holding", "closing"]
    assert closed(fleet)


def test_a_run_takes_as_long_as_it_says() -> None:
    ran = play({"total": "100", "rate": "1", "hold": "1m"})

    assert ran.outcome.ended_at
    seconds = (ran.outcome.ended_at - ran.outcome.started_at).total_seconds()
    assert 160 <= seconds < 162
    assert ran.verdict == "passed"


def test_workers_open_together_as_fast_as_they_can_without_a_pace() -> None:
    ran = Scene(settings={"total": "100", "hold": "5s"}).play()

    assert (ran.verdict, ran.outcome.spec.rushes) == ("passed", True)


def test_a_rest_of_the_schedule_is_compared() -> None:
    ran = Scene(settings={"stage": ["50@5s", "50@20s", "100@5s"], "hold": "10s"}).play()

    ((rest, comparison),) = ran.outcome.rests
    assert (rest.total, comparison.established) == (50, 50)
    assert ran.view.steps[0] == "following"
    assert ran.verdict == "passed"


def test_a_schedule_that_falls_closes_connections() -> None:
    ran = Scene(settings={"stage": ["100@5s", "40@5s"], "hold": "10s"}).play()

    assert (ran.verdict, ran.summary["established_at_hold_end"]) == ("passed", 40)


def test_a_retarget_in_the_hold_is_followed_and_held() -> None:
    fleet = SimulatedFleet()

    def retarget() -> None:
        for worker in fleet.workers:
            assert worker.schedule
            worker.schedule = worker.schedule.retargeted(nanoseconds(worker.elapsed + 1), [Stage(60, nanoseconds(2))])

    ran = play(fleet=fleet, at={8.0: retarget})

    assert ran.view.steps == ["opening", "holding", "following", "holding", "closing"]
    assert (ran.verdict, ran.summary["established_at_hold_end"]) == ("passed", 60)
    assert ran.summary["retargets"][0]["from"] == 100
    assert any(said.startswith("retargeted: from 100") for said in ran.view.said)


def test_turnover_is_stopped_before_the_comparison() -> None:
    ran = play({"lifetime": "exp:2s"})

    assert ran.view.steps == ["opening", "holding", "calming", "closing"]
    assert ran.summary["replaced"] > 100
    assert ran.verdict == "passed"


def test_turnover_that_does_not_stop_is_compared_as_it_stands() -> None:
    fleet = SimulatedFleet()
    for worker in fleet.workers:
        worker.turns_over = False

    ran = play({"lifetime": "fixed:1000s"}, fleet=fleet)

    assert ran.view.steps[-2:] == ["calming", "closing"]
    assert ran.summary["established_at_hold_end"] == 100


def test_a_storm_of_the_clients_comes_back() -> None:
    ran = play({"storm": ["at=7s,drop=50%,return=3s"]})

    (storm,) = ran.summary["storms"]
    assert (storm["dropped"], storm["returned"]) == (50, 50)
    assert ran.verdict == "passed"


def test_the_target_is_asked_for_its_storm_when_it_is_due() -> None:
    fleet = SimulatedFleet()

    ran = play({"storm": ["at=7s,drop=50%,by=target"], "reopen": "True"}, fleet=fleet)

    assert fleet.target.calls.count("storm") == 1
    assert ran.summary["storms"][0]["dropped"] == 50
    assert ran.verdict == "passed"


def test_a_storm_that_the_target_does_not_make_degrades_the_run() -> None:
    fleet = SimulatedFleet()
    fleet.target.fails["storm"] = UnreachableError("target 10.0.1.0:7200 did not answer in time")

    ran = play({"storm": ["at=7s,drop=50%,by=target"], "reopen": "True"}, fleet=fleet)

    assert ran.verdict == "degraded"
    assert "a storm could not be made: target 10.0.1.0:7200 did not answer in time" in ran.reasons


def test_a_probe_finds_ghosts() -> None:
    fleet = SimulatedFleet()
    fleet.workers[0].ghosts = 3

    ran = play({"probe_ghosts": "True"}, fleet=fleet)

    assert ran.verdict == "failed"
    assert "3 of 100 probed connections were answered with a RST" in ran.reasons


def test_requirements_are_judged_through_the_hold() -> None:
    fleet = SimulatedFleet()

    ran = play({"require": ["always established >= 100"]}, fleet=fleet, at={9.0: lambda: fleet.workers[0].lose_connections(5)})

    assert ran.verdict == "failed"
    assert "always established >= 100" in ran.reasons


def test_connections_are_closed_at_a_rate() -> None:
    ran = play({"close_rate": "10"}, fleet=SimulatedFleet(1))

    assert ran.summary["teardown_seconds"] == pytest.approx(10, abs=1)
    assert ran.verdict == "passed"


@pytest.mark.parametrize("settings", [{"close": "fin"}, {"server_push": "1"}, {"heartbeat": "1s"}])
def test_traffic_stops_before_connections_close(settings: dict[str, str]) -> None:
    fleet = SimulatedFleet()

    play(settings, fleet=fleet)

    order = fleet.workers[0].calls
    assert order[-1] == "stop"
    assert ("stop_traffic" in order) is ("close" not in settings)
    assert ("stop_accepting" in fleet.target.calls) is ("close" not in settings)
    assert closed(fleet)


# -- runs that fail


def test_attempts_that_fail_fail_the_run() -> None:
    fleet = SimulatedFleet()
    fleet.workers[0].refused = 7

    ran = play(fleet=fleet)

    assert (ran.verdict, ran.summary["exit_code"]) == ("failed", 1)
    assert "93 of 100 connections were established; failed: 7 ECONNREFUSED" in ran.reasons


def test_dropped_connections_fail_the_run() -> None:
    fleet = SimulatedFleet()

    ran = play(fleet=fleet, on={"holding": lambda: fleet.target.drop(9)})

    assert ran.verdict == "failed"
    assert "91 of 100 established connections were held to the end; dropped: 9 peer_reset" in ran.reasons


def test_a_comparison_finds_connections_that_the_server_never_accepted() -> None:
    fleet = SimulatedFleet()
    fleet.target.overlooks = 4

    ran = play(fleet=fleet)

    assert ran.verdict == "failed"
    assert "4 connections are ghosts" in ran.reasons
    assert ran.view.steps == ["opening", "comparing", "holding", "comparing", "closing"]  # it waits for the counts to move
    assert ran.outcome.widest_gap == 4


def test_a_worker_that_lies_about_its_connections_is_found_out() -> None:
    fleet = SimulatedFleet()

    def more(sample: Sample) -> Sample:
        return replace(sample, tally=sample.tally + Tally(attempted=5, opened=5)) if sample.tally.opened else sample

    fleet.workers[0].lies = more
    ran = play(fleet=fleet)

    assert ran.verdict == "failed"
    assert "the workers count 105 established, their kernels 100" in ran.reasons


def test_a_worker_that_halts_ends_the_run_without_a_hold() -> None:
    fleet = SimulatedFleet()

    def halt() -> None:
        fleet.workers[1].halted = HaltReason(HaltKind.MEMORY, 100, 200)

    ran = play(fleet=fleet, at={2.0: halt})

    assert ran.verdict == "degraded"
    assert "stopped opening with 100 B of memory left" in ran.reasons
    assert ran.outcome.ended_at
    assert (ran.outcome.ended_at - ran.outcome.started_at).total_seconds() < 10
    assert closed(fleet)


def test_nodes_that_do_not_close_are_named_and_left_to_their_lease() -> None:
    fleet = SimulatedFleet()
    fleet.workers[0].closes_slowly = CLOSE_SECONDS * 3

    ran = play(fleet=fleet)

    assert ran.verdict == "degraded"
    assert f"worker 10.0.0.1:7100 did not close within {CLOSE_SECONDS:.0f} s; the lease ends it" in ran.reasons


# -- runs that never start


@pytest.mark.parametrize("role", ["worker", "target"])
@pytest.mark.parametrize("call", ["describe", "prepare"])
@pytest.mark.parametrize("error", [UnreachableError("it did not answer"), UsageError("it does not know that")])
def test_an_error_before_the_start_is_raised_and_what_was_prepared_is_closed(role: str, call: str, error: C1mError) -> None:
    fleet = SimulatedFleet()
    (fleet.target if role == "target" else fleet.workers[1]).fails[call] = error

    with pytest.raises(type(error), match=str(error)):
        play(fleet=fleet)

    assert closed(fleet)
    assert not any("start" in worker.calls for worker in fleet.workers)


@pytest.mark.parametrize("role", ["worker", "target"])
def test_a_node_that_refuses_refuses_the_run(role: str) -> None:
    fleet = SimulatedFleet()
    (fleet.target if role == "target" else fleet.workers[1]).fails["prepare"] = RefusedError("it cannot")

    ran = play(fleet=fleet)

    assert (ran.verdict, ran.summary["exit_code"], ran.reasons) == ("refused", 3, "it cannot")
    assert closed(fleet)


def test_a_busy_node_refuses_the_run() -> None:
    fleet = SimulatedFleet()

    async def twice() -> tuple[Ran, Ran]:
        first = asyncio.create_task(Scene(fleet).go())
        await asyncio.sleep(3)
        second = await Scene(fleet).go()
        return await first, second

    first, second = run_virtually(twice())

    assert (first.verdict, second.verdict) == ("passed", "refused")
    assert "busy with run" in second.reasons


def test_a_total_that_does_not_fit_is_refused() -> None:
    ran = Scene(SimulatedFleet(1, 100), {"total": "300000"}).play()

    assert ran.verdict == "refused"
    assert "300,000" in ran.reasons


def test_an_acceptor_that_ended_explains_why_workers_refuse() -> None:
    fleet = SimulatedFleet()
    fleet.workers[0].fails["prepare"] = RefusedError("the server does not prove that it serves this run")
    fleet.target.exit_reasons = (ExitReason(ExitKind.SIGNALLED, ChildKind.ACCEPTOR, (1,), pid=12, number=1, value=9),)

    with pytest.raises(UnreachableError, match=r"acceptor 1 \(pid 12\) was killed by SIGKILL while the run was prepared"):
        play(fleet=fleet)


# -- interruptions

STEPS = ["opening", "holding", "calming", "closing"]


@pytest.mark.parametrize("step", STEPS)
def test_an_interruption_at_any_step_closes_what_was_opened(step: str) -> None:
    fleet, interrupted = SimulatedFleet(), asyncio.Event()

    ran = Scene(fleet, {**USUAL, "lifetime": "exp:20s"}, on={step: interrupted.set}, interrupted=interrupted).play()

    assert (ran.verdict, ran.summary["exit_code"]) == ("interrupted", 130)
    assert ran.view.steps == [*STEPS[: STEPS.index(step)], step, *(["closing"] if step != "closing" else [])]
    assert ("interrupted: closing what was opened" in ran.view.said) is (step != "closing")
    assert closed(fleet)


@pytest.mark.parametrize("seconds", [0.5, 1.5, 2.5, 3.5])
def test_an_interruption_while_nodes_are_prepared_leaves_nothing(seconds: float) -> None:
    """With nodes that take a second for each call: described, the target prepared, the workers prepared, started."""
    fleet, interrupted = SimulatedFleet(), asyncio.Event()
    for node in (*fleet.workers, fleet.target):
        node.answers_after = 1.0

    ran = Scene(fleet, at={seconds: interrupted.set}, interrupted=interrupted).play()

    assert ran.verdict == "interrupted"
    assert closed(fleet)


def test_an_interruption_while_a_comparison_waits_ends_it() -> None:
    fleet, interrupted = SimulatedFleet(), asyncio.Event()
    fleet.target.overlooks = 4

    ran = Scene(fleet, on={"comparing": interrupted.set}, interrupted=interrupted).play()

    assert ran.verdict == "interrupted"
    assert ran.outcome.ramp_end is None
    assert closed(fleet)
