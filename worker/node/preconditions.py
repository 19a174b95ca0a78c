"""What may still be asked of a run, as far as it has come: to start, to follow another schedule, to take more shards."""

from __future__ import annotations

from c1m.errors import RefusedError
from c1m.measure.phase import Phase
from c1m.node.node_run import Engagement
from c1m.schedule.node_schedule import Following
from c1m.schedule.schedule import Arrival


def check_start(engagement: Engagement) -> None:
    """Raises RefusedError when a run is not ready to start, or comes to its end."""
    run = f"run {engagement.run_id}"
    if engagement.stopping:
        raise RefusedError(f"{run} is closing; prepare another one")
    if not engagement.ready.is_set():
        raise RefusedError(f"{run} is still being prepared; start it when Prepare has answered")


def check_goes_on(engagement: Engagement) -> None:
    """Raises RefusedError when nothing about the run can be another way: it has not started, or comes to its end."""
    run = f"run {engagement.run_id}"
    if not engagement.start:
        raise RefusedError(f"{run} has not started; try again once it has")
    if engagement.stopping or engagement.settling:
        raise RefusedError(f"{run} comes to its end; start another one")
    if engagement.halted:
        raise RefusedError(f"{run} {engagement.halted}")


def check_retarget(engagement: Engagement, following: Following, most: int) -> None:
    """Raises RefusedError when the run cannot follow another schedule, or not one with so many connections."""
    check_goes_on(engagement)
    run = f"run {engagement.run_id}"
    if following.arrival is Arrival.RUSH and engagement.phase < Phase.HOLDING:
        raise RefusedError(f"{run} is still opening, as fast as it can; try again once it holds its connections")
    if most > following.peak:
        raise RefusedError(
            f"{run} was planned for {following.peak:,} connections at most, and {most:,} are asked for; ask for "
            f"fewer, or start a run whose --stage or --total reaches that high"
        )
