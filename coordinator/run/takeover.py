"""Takes over a run whose coordinator has died: its nodes are watched again at once, which keeps their lease; then its journal
is read.

Where the run stands in its schedule is reported by the nodes, each by its own clock. Wall clocks are never compared, and
the monotonic clock of the dead coordinator may have been another machine's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from c1m.coordinator.fleet.channel import CALL_SECONDS
from c1m.coordinator.fleet.clients import Nodes, ReceivedSample, TargetClient, WorkerClient
from c1m.coordinator.journal.codec import to_json
from c1m.coordinator.journal.journal import Record
from c1m.coordinator.journal.replay import RESUMED, Replay, UnpackedRecord, read_header, replayed_to_now
from c1m.coordinator.ledger.node_record import NodeRecord
from c1m.coordinator.results.outcome import Outcome
from c1m.coordinator.spec.layers import make_spec
from c1m.coordinator.spec.spec import RunSpec
from c1m.errors import C1mError, UnreachableError, UsageError
from c1m.measure.phase import Close, Phase
from c1m.measure.sampling import SamplingInterval, pace_of
from c1m.schedule.schedule import NANOSECONDS

from .steps import Step, StepSince, standing
from .watch import Watch

CLOSE_SECONDS = 30.0  # for nodes that have opened nothing
LEASE_GOES_ON = "its nodes keep what they hold for their lease, so c1m-coord attach may be tried again within it"


class LeftRun(NamedTuple):
    """What a dead coordinator's journal says about how to reach its nodes."""

    run_id: str
    spec: RunSpec


def read_left(path: Path) -> LeftRun:
    """Read it. Raises UsageError for a journal that cannot be read, and UnreachableError where the nodes ended with their
    coordinator.
    """
    header = read_header(path)
    left = LeftRun(header.run_id, make_spec([("its journal", header.settings)]))
    if not left.spec.worker or not (left.spec.target or left.spec.endpoint):
        raise UnreachableError(
            f"run {left.run_id} had nodes that its coordinator had started itself, and those end with it; c1m-coord show "
            f"{left.run_id} has what is known. Runs over nodes that are named with --worker and --target can be taken over"
        )
    return left


@dataclass(frozen=True)
class ResumedNode:
    """A node that is being watched again."""

    node: WorkerClient | TargetClient
    at: float
    first: ReceivedSample
    rest: AsyncGenerator[ReceivedSample]

    @property
    def began(self) -> float | None:
        """When the run began there, on this machine's monotonic clock; None: it has not begun, or the node follows no
        schedule.
        """
        elapsed_ns = self.first.sample.elapsed_ns
        return self.at - elapsed_ns / NANOSECONDS if elapsed_ns else None

    @property
    def open(self) -> bool:
        """Whether it has not begun to close."""
        return self.first.sample.phase < Phase.CLOSING

    async def close(self, run_id: str, by: Close) -> None:
        """End the watch when the node is free again."""
        await (self.node.stop(run_id, by, 0.0) if isinstance(self.node, WorkerClient) else self.node.stop(run_id))
        async for _ in self.rest:
            pass  # its last sample is that all has ended


@dataclass(frozen=True)
class ResumedRun:
    """A run to resume, and its nodes by name: the first sample of each, or why there is none."""

    outcome: Outcome
    standing: StepSince
    began: float | None  # on our monotonic clock; None: it does not go on
    trouble: str  # why it does not
    known_until: float  # by the journal, on the same clock
    record: Record  # with which the journal goes on
    nodes: Mapping[str, ResumedNode | C1mError]

    async def follow(self, entry: NodeRecord, watch: Watch) -> None:
        """Go on watching the node, or stop: a node that was lost stays lost."""
        found = self.nodes[entry.name]
        why = str(found) if isinstance(found, C1mError) else self.out_of_step(found)
        if why and not entry.lost:
            watch.lose(entry, why)
        if isinstance(found, ResumedNode) and entry.lost:
            await found.rest.aclose()
        elif isinstance(found, ResumedNode):
            watch.hear(entry, found.first)
            watch.follow(entry, found.node, self.outcome.run_id, found.rest)

    def out_of_step(self, heard: ResumedNode) -> str:
        """Return why a node cannot go on with the others; empty: it can. It then closes by itself, since its lease ends."""
        if self.standing.step is Step.CLOSE:
            return ""
        if not heard.open:
            return f"{heard.node.name} has closed: nobody had watched it for the length of its lease"
        if isinstance(heard.node, WorkerClient) and heard.began is None:
            return f"{heard.node.name} had not been asked to start when the coordinator of the run ended"
        return ""


class Takeover:
    """``take`` takes the run over; ``taken`` is the result."""

    def __init__(self, path: Path, nodes: Nodes) -> None:
        self.path = path
        self.nodes = nodes
        self.run_id = nodes.run_id
        self.taken: ResumedRun

    async def take(self) -> None:
        """Take the run over. Raises C1mError where the run is over, or no worker is on it any more."""
        target = self.nodes.target
        every: list[WorkerClient | TargetClient] = [*self.nodes.workers.values(), *([target] if target else [])]
        answers = await asyncio.gather(*(hear(node, self.run_id, pace_of(len(every))) for node in every))
        found = dict(zip((node.name for node in every), answers, strict=True))
        workers = [heard for name in self.nodes.workers if isinstance(heard := found[name], ResumedNode)]
        if not workers:
            raise self.refusal("; ".join(str(found[name]) for name in self.nodes.workers))
        began = min((heard.began for heard in workers if heard.began is not None), default=None)
        # In a thread: an hour of a hundred nodes takes minutes, and they have to be watched meanwhile.
        replayed = await asyncio.to_thread(replayed_to_now, self.path, began)
        self.check(replayed, workers)
        trouble = OPENED_NOTHING if began is None else PLAN_IS_LOST if replayed.outcome.ledger is None else ""
        if trouble:
            await self.close(found, replayed.outcome.spec.close)
        self.taken = taken_from(replayed, None if trouble else began, trouble, found)

    def check(self, replayed: Replay, workers: list[ResumedNode]) -> None:
        if replayed.outcome.ended_at:
            raise UsageError(f"run {self.run_id} is over; c1m-coord show {self.run_id} has what came of it")
        at_step = standing(replayed.ledger.timeline.turns).step
        if at_step is not Step.CLOSE and not any(heard.open for heard in workers):
            raise self.refusal("no coordinator has watched its workers for the length of their lease, and they have closed")

    def refusal(self, why: str) -> C1mError:
        return UnreachableError(
            f"run {self.run_id} cannot be taken over: {why}; c1m-coord show {self.run_id} has what is known of it"
        )

    async def close(self, found: Mapping[str, ResumedNode | C1mError], by: Close) -> None:
        """Close the nodes of a run that does not go on. Raises C1mError where a node does not; its lease ends it."""
        heard = [each for each in found.values() if isinstance(each, ResumedNode)]
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await asyncio.gather(*(each.close(self.run_id, by) for each in heard))
        except TimeoutError:
            names = ", ".join(each.node.name for each in heard)
            raise UnreachableError(
                f"{names} were asked to close run {self.run_id}, and did not all within {CLOSE_SECONDS:.0f} s; leases end it"
            ) from None


CLOSED = "its nodes have been asked to close"
OPENED_NOTHING = f"the run was still being prepared when its coordinator ended, and nothing was opened; {CLOSED}"
PLAN_IS_LOST = f"the run had only begun when its coordinator ended, before its plan was written down; {CLOSED}"


async def hear(node: WorkerClient | TargetClient, run_id: str, pace: SamplingInterval) -> ResumedNode | C1mError:
    """Return a node that says it is on the run, and is watched from then on."""
    try:
        await (node.describe([]) if isinstance(node, WorkerClient) else node.describe())
        samples = node.watch(run_id, pace)
        async with asyncio.timeout(CALL_SECONDS):
            return ResumedNode(node, time.monotonic(), await anext(samples), samples)
    except TimeoutError:
        return UnreachableError(f"{node.name} said nothing of run {run_id} within {CALL_SECONDS:.0f} s")
    except StopAsyncIteration:
        return UnreachableError(f"{node.name} is not on run {run_id}")
    except C1mError as error:
        return error


def taken_from(replayed: Replay, began: float | None, trouble: str, found: Mapping[str, ResumedNode | C1mError]) -> ResumedRun:
    """Return the run as its journal has it, folded as it will be when the journal is read again."""
    known_until = replayed.last
    now = time.monotonic()
    body = to_json({"at": datetime.now(UTC), "began": began})
    replayed.take(UnpackedRecord(now, RESUMED, "", body))
    outcome = replayed.outcome
    where = standing(replayed.ledger.timeline.turns)
    if outcome.interrupted and where.step is not Step.CLOSE:
        where = StepSince(Step.CLOSE, where.since)
    return ResumedRun(outcome, where, began, trouble, known_until, Record(now, RESUMED, "", body), found)
