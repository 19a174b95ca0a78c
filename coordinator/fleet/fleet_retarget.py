"""Gives a running run another schedule: the same stages for all its workers, from one moment of the run on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from c1m.errors import RefusedError
from c1m.schedule.schedule import NANOSECONDS, Revision, Schedule, Stage
from c1m.schedule.shapes import Shape, draw

from .descriptions import DescribedWorker
from .nodes import WorkerNode

# The new stages begin this long after the nodes have reported their elapsed times, so that every node has them by then. A node
# that receives them later catches up at once.
AHEAD_NS = NANOSECONDS // 2


@dataclass(frozen=True, slots=True)
class Retargeted:
    """The result of a retarget: the run, the number of its workers, and the new schedule.

    ``at_seconds``: the moment from which the schedule holds, in seconds since the start of the run.
    """

    run_id: str
    workers: int
    version: int
    at_seconds: float
    origin: int  # how many connections should be open at that moment
    stages: Sequence[Stage]


async def retarget(workers: Sequence[WorkerNode], run_id: str | None, shapes: Sequence[Shape]) -> Retargeted:
    """Give all workers of a run the same new stages. Return the run and its new schedule.

    ``run_id``: the run; None: the only one that the workers are on. Raises RefusedError when there is no such run or it cannot
    follow the stages, and C1mError when a worker does not answer.
    """
    answers = await asyncio.gather(*(worker.describe([]) for worker in workers))
    described = dict(zip((worker.name for worker in workers), answers, strict=True))
    run_id = run_id or only_run(described)
    taking_part = [worker for worker in workers if described[worker.name].run_id == run_id]
    if not taking_part:
        raise RefusedError(f"none of {', '.join(described)} is on run {run_id}; it is over, or name its workers with --worker")
    at_ns = max(described[worker.name].elapsed_ns for worker in taking_part) + AHEAD_NS
    revisions = [described[worker.name].revision or Revision(Schedule(())) for worker in taking_part]
    origin = max(revisions, key=lambda revision: revision.version).schedule.at(at_ns)
    stages = draw(shapes, origin)
    versions = await asyncio.gather(*(worker.retarget(run_id, at_ns, stages) for worker in taking_part))
    return Retargeted(run_id, len(taking_part), max(versions), at_ns / NANOSECONDS, origin, stages)


def only_run(described: Mapping[str, DescribedWorker]) -> str:
    """Return the id of the run that the workers are on. Raises RefusedError when there is none, or more than one."""
    runs = sorted({description.run_id for description in described.values() if description.run_id})
    if not runs:
        raise RefusedError(f"there is no run on {', '.join(described)}; start one, or name the workers of one with --worker")
    if len(runs) > 1:
        raise RefusedError(f"the workers are on several runs, {' and '.join(runs)}; say which one")
    return runs[0]
