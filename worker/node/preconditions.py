"""What a run may still be asked to do, given how far it has come: start, follow another schedule, take more shards."""

from __future__ import annotations

from c1m.errors import RefusedError
from c1m.measure.phase import Phase
from c1m.node.node_run import NodeRun
from c1m.schedule.node_schedule import NodeSchedule
from c1m.schedule.schedule import Arrival


def check_start(node_run: NodeRun) -> None:
    """Raise RefusedError if a run is not ready to start or is closing. Returns nothing."""
    run = f"run {node_run.run_id}"
    if node_run.stopping:
        raise RefusedError(f"{run} is closing; prepare another one")
    if not node_run.ready.is_set():
        raise RefusedError(f"{run} is still being prepared; start it when Prepare has answered")


def check_goes_on(node_run: NodeRun) -> None:
    """Raise RefusedError if a run cannot be changed: it has not started, it is closing, or it was halted."""
    run = f"run {node_run.run_id}"
    if not node_run.start:
        raise RefusedError(f"{run} has not started; try again once it has")
    if node_run.stopping or node_run.settling:
        raise RefusedError(f"{run} comes to its end; start another one")
    if node_run.halted:
        raise RefusedError(f"{run} {node_run.halted}")


def check_retarget(node_run: NodeRun, following: NodeSchedule, most: int) -> None:
    """Raise RefusedError if the run cannot follow another schedule, or not one with ``peak`` connections."""
    check_goes_on(node_run)
    run = f"run {node_run.run_id}"
    if following.arrival is Arrival.CLOSED_LOOP and node_run.phase < Phase.HOLDING:
        raise RefusedError(f"{run} is still opening, as fast as it can; try again once it holds its connections")
    if most > following.peak:
        raise RefusedError(
            f"{run} was planned for {following.peak:,} connections at most, and {most:,} are asked for; ask for "
            f"fewer, or start a run whose --stage or --total reaches that high"
        )
