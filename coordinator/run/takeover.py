"""Takes over a run whose coordinator has died. First its nodes are watched again, which keeps their lease; then its journal is
read.

The nodes report how far they are in the schedule, each by its own clock. Wall clocks are never compared, and the monotonic
clock of the dead coordinator may have been another machine's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from c1m.coordinator.fleet.channel import CALL_SECONDS
from c1m.coordinator.fleet.clock import SYSTEM_CLOCK, Clock
from c1m.coordinator.fleet.nodes import Nodes, ReceivedSample, TargetNode, WorkerNode
from c1m.coordinator.journal.codec import to_json
from c1m.coordinator.journal.journal import Record
from c1m.coordinator.journal.replay import RESUMED, Replay, UnpackedRecord, read_header, replayed_to_now
from c1m.coordinator.ledger.loss_reason import LossKind, LossReason
from c1m.coordinator.ledger.node_record import NodeRecord
from c1m.coordinator.results.outcome import Outcome
from c1m.coordinator.spec.layers import make_spec
from c1m.coordinator.spec.spec import RunSpec
from c1m.errors import C1mError, UnreachableError, UsageError
from c1m.measure.phase import Close, Phase
from c1m.measure.sampling import SamplingInterval, pace_of
from c1m.schedule.schedule import NANOSECONDS

from .steps import Event, Standing, standing
from .watch import Watch, reason_of_error

CLOSE_SECONDS = 30.0  # for nodes that have not opened anything
LEASE_GOES_ON = "its nodes keep their connections until their lease ends, and c1m-coord attach can be tried again before that"


class LeftRun(NamedTuple):
    """The id and the settings of a run whose coordinator died, by which its nodes can be reached."""

    run_id: str
    spec: RunSpec


def read_left(path: Path) -> LeftRun:
    """Return the id and the settings of a run from the first record of its journal.

    Raises UsageError when the journal cannot be read, and UnreachableError when the nodes were local ones, which ended with
    their coordinator.
    """
    header = read_header(path)
    left = LeftRun(header.run_id, make_spec([("its journal", header.settings)]))
    if not left.spec.worker or not (left.spec.target or left.spec.endpoint):
        raise UnreachableError(
            f"run {left.run_id} had local nodes, which ended with its coordinator; c1m-coord show {left.run_id} has what is "
            f"known of it. Only runs over nodes that are named with --worker and --target can be taken over"
        )
    return left


@dataclass(frozen=True)
class ResumedNode:
    """A node of a run that is being watched again, with its first sample and the stream of those that follow."""

    node: WorkerNode | TargetNode
    at: float  # when its first sample came, on this machine's monotonic clock
    first: ReceivedSample
    rest: AsyncGenerator[ReceivedSample]

    @property
    def began(self) -> float | None:
        """The time at which the run began on this node, in seconds on this machine's monotonic clock.

        None: the run has not begun there, or the node follows no schedule.
        """
        elapsed_ns = self.first.sample.elapsed_ns
        return self.at - elapsed_ns / NANOSECONDS if elapsed_ns else None

    @property
    def open(self) -> bool:
        """True if the node has not begun to close."""
        return self.first.sample.phase < Phase.CLOSING

    async def close(self, run_id: str, by: Close) -> None:
        """Ask the node to close, and wait until its processes have ended. Returns nothing. Raises C1mError."""
        await (self.node.stop(run_id, by, 0.0) if isinstance(self.node, WorkerNode) else self.node.stop(run_id))
        async for _ in self.rest:
            pass  # the last sample comes when all processes have ended


@dataclass(frozen=True)
class ResumedRun:
    """A run to resume, and its nodes by name: each as a ResumedNode, or the error that explains why it is not watched."""

    outcome: Outcome
    standing: Standing
    began: float | None  # the start, on our monotonic clock; None: it is not resumed
    trouble: str  # why it is not resumed; empty: it is
    known_until: float  # the end of the journal, on the same clock
    record: Record  # of the takeover, with which the journal continues
    nodes: Mapping[str, ResumedNode | C1mError]

    async def follow(self, entry: NodeRecord, watch: Watch) -> None:
        """Go on watching a node of the run. Returns nothing.

        A node that cannot go on with the others is declared lost. The stream of a lost node is closed.
        """
        found = self.nodes[entry.name]
        why = reason_of_error(found) if isinstance(found, C1mError) else self.out_of_step(found)
        if why and not entry.lost:
            watch.lose(entry, why)
        if isinstance(found, ResumedNode) and entry.lost:
            await found.rest.aclose()
        elif isinstance(found, ResumedNode):
            watch.hear(entry, found.first)
            watch.follow(entry, found.node, self.outcome.run_id, found.rest)

    def out_of_step(self, resumed: ResumedNode) -> LossReason | None:
        """Return why a node cannot go on with the others; None when it can. Such a node closes when its lease ends."""
        if self.standing.was is Event.WAS_CLOSING:
            return None
        if not resumed.open:
            return LossReason(LossKind.LEASE_OVER)
        if isinstance(resumed.node, WorkerNode) and resumed.began is None:
            return LossReason(LossKind.NOT_STARTED)
        return None


class Takeover:
    """Takes over one run from a coordinator that died. The method ``take`` does it; ``taken`` is the result."""

    def __init__(self, path: Path, nodes: Nodes, clock: Clock = SYSTEM_CLOCK) -> None:
        self.path = path
        self.clock = clock
        self.nodes = nodes
        self.run_id = nodes.run_id
        self.taken: ResumedRun

    async def take(self) -> None:
        """Take the run over. Returns nothing; the result is in ``taken``.

        Raises C1mError when the run is over, or no worker is on the run any more.
        """
        target = self.nodes.target
        every: list[WorkerNode | TargetNode] = [*self.nodes.workers.values(), *([target] if target else [])]
        answers = await asyncio.gather(*(self.resume_watching(node, pace_of(len(every))) for node in every))
        found = dict(zip((node.name for node in every), answers, strict=True))
        workers = [node for name in self.nodes.workers if isinstance(node := found[name], ResumedNode)]
        if not workers:
            for name in self.nodes.workers:
                if isinstance(answer := found[name], UsageError):  # a worker of another version, which may well be on the run
                    raise answer
            raise self.refusal("; ".join(str(found[name]) for name in self.nodes.workers))
        began = min((node.began for node in workers if node.began is not None), default=None)
        # In a thread: to read an hour of a hundred nodes takes minutes, and their samples come meanwhile.
        replayed = await asyncio.to_thread(replayed_to_now, self.path, began)
        self.check(replayed, workers)
        trouble = OPENED_NOTHING if began is None else PLAN_IS_LOST if replayed.outcome.ledger is None else ""
        if trouble:
            await self.close(found, replayed.outcome.spec.close)
        self.taken = taken_from(replayed, None if trouble else began, trouble, found, self.clock)

    async def resume_watching(self, node: WorkerNode | TargetNode, pace: SamplingInterval) -> ResumedNode | C1mError:
        """Watch a node of the run. Return it with its first sample, or the error of a node that cannot be asked or that is
        not on the run.
        """
        try:
            await (node.describe([]) if isinstance(node, WorkerNode) else node.describe())
            samples = node.watch(self.run_id, pace)
            async with asyncio.timeout(CALL_SECONDS):
                return ResumedNode(node, self.clock.now(), await anext(samples), samples)
        except TimeoutError:
            return UnreachableError(f"{node.name} sent no sample of run {self.run_id} within {CALL_SECONDS:.0f} s")
        except StopAsyncIteration:
            return UnreachableError(f"{node.name} is not on run {self.run_id}")
        except C1mError as error:
            return error

    def check(self, replayed: Replay, workers: list[ResumedNode]) -> None:
        """Raise UsageError when the run is over, and UnreachableError when its workers have closed by themselves.

        Returns nothing.
        """
        if replayed.outcome.ended_at:
            raise UsageError(f"run {self.run_id} is over; c1m-coord show {self.run_id} has what came of it")
        was = standing(replayed.ledger.timeline.turns).was
        if was is not Event.WAS_CLOSING and not any(node.open for node in workers):
            raise self.refusal("no coordinator has watched its workers for the length of their lease, and they have closed")

    def refusal(self, why: str) -> C1mError:
        """Return the UnreachableError for a run that cannot be taken over for the reason ``why``."""
        return UnreachableError(
            f"run {self.run_id} cannot be taken over: {why}; c1m-coord show {self.run_id} has what is known of it"
        )

    async def close(self, found: Mapping[str, ResumedNode | C1mError], by: Close) -> None:
        """Close the nodes of a run that is not resumed. Returns nothing.

        Raises C1mError when a node does not close within CLOSE_SECONDS; the end of its lease then closes it.
        """
        resumed = [each for each in found.values() if isinstance(each, ResumedNode)]
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await asyncio.gather(*(each.close(self.run_id, by) for each in resumed))
        except TimeoutError:
            names = ", ".join(each.node.name for each in resumed)
            raise UnreachableError(
                f"{names} were asked to close run {self.run_id}; not all did within {CLOSE_SECONDS:.0f} s, and their leases "
                f"end it"
            ) from None


CLOSED = "its nodes have been asked to close"
OPENED_NOTHING = f"the run was still being prepared when its coordinator ended, and nothing was opened; {CLOSED}"
PLAN_IS_LOST = f"the coordinator of the run ended before the plan was in its journal; {CLOSED}"


def taken_from(
    replayed: Replay, began: float | None, trouble: str, found: Mapping[str, ResumedNode | C1mError], clock: Clock
) -> ResumedRun:
    """Return the run to resume, as its journal has it, with the record of the takeover added.

    ``began``: the start of the run on our monotonic clock; None: the run is not resumed, and ``trouble`` says why. The outcome
    is as it will be when the journal is read again.
    """
    known_until = replayed.last
    now = clock.now()
    body = to_json({"at": clock.wall(), "began": began})
    replayed.take(UnpackedRecord(now, RESUMED, "", body))
    outcome = replayed.outcome
    where = standing(replayed.ledger.timeline.turns)
    if outcome.interrupted and where.was is not Event.WAS_CLOSING:
        where = Standing(Event.WAS_CLOSING, where.since)
    return ResumedRun(outcome, where, began, trouble, known_until, Record(now, RESUMED, "", body), found)
