"""The watch over a run: folds samples of all nodes into the ledger as they come, and waits for conditions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing

from c1m.coordinator.fleet.failure_detector import SILENCE_SECONDS, TICK_SECONDS, FailureDetector
from c1m.coordinator.fleet.nodes import ReceivedSample, TargetNode, WorkerNode
from c1m.coordinator.fleet.resubscribe import watched_again
from c1m.coordinator.ledger.doing import Doing
from c1m.coordinator.ledger.loss_reason import CoordinatorPause, LossKind, LossReason
from c1m.coordinator.ledger.node_record import NodeRecord
from c1m.errors import C1mError, GoneError, UnreachableError
from c1m.measure.phase import Phase
from c1m.measure.reasons import ClosingReason
from c1m.measure.sampling import pace_of

from .state import RunState

SETTLE_SECONDS = 3.0  # without a change, until a count is taken as final
SHOW_SECONDS = 0.25
LOOK_SHARE = 0.2  # of the coordinator's time, for checking what it waits for, and showing the state


class Watch:
    """Keeps the ledger of a run up to date."""

    def __init__(self, state: RunState) -> None:
        self.state = state
        self.changed = asyncio.Event()
        self.streams: dict[str, asyncio.Task[None]] = {}
        self.detector = FailureDetector()
        self.losing: asyncio.Task[None] | None = None
        self.on_loss: Callable[[NodeRecord], None] = lambda _: None

    def tell_of_losses(self, listener: Callable[[NodeRecord], None]) -> None:
        """Call ``listener`` once for each node that is lost from now on."""
        self.on_loss = listener

    def follow(
        self,
        entry: NodeRecord,
        node: WorkerNode | TargetNode,
        run_id: str,
        samples: AsyncGenerator[ReceivedSample] | None = None,
    ) -> None:
        """Begin to receive a node's samples, for as long as they come. A second call for the same node changes nothing.

        ``samples``: the stream, if the node is being watched already; None: a new stream. Returns nothing.
        """
        if entry.name not in self.streams and not entry.lost:
            self.detector.hear(entry.name)
            self.streams[entry.name] = asyncio.create_task(self.take_in(entry, node, run_id, samples))
            self.losing = self.losing or asyncio.create_task(self.lose_silent_nodes())

    async def take_in(
        self, entry: NodeRecord, node: WorkerNode | TargetNode, run_id: str, samples: AsyncGenerator[ReceivedSample] | None
    ) -> None:
        """Receive a node's samples to their end, over a new stream where one breaks. Returns nothing.

        Declares the node lost if its samples end too early.
        """
        pace = pace_of(len(self.state.ledger.entries))
        try:
            while await self.broke(entry, samples or node.watch(run_id, pace)):
                samples = watched_again(node, run_id, pace)
        except C1mError as error:
            self.lose(entry, reason_of_error(error, self.pause_since(entry)))
        else:
            if entry.sample.phase is not Phase.CLOSED or not self.state.closing:
                self.lose(entry, LossReason(LossKind.ENDED))
        finally:
            self.detector.forget(entry.name)

    async def broke(self, entry: NodeRecord, samples: AsyncGenerator[ReceivedSample]) -> bool:
        """Read a stream of a node's samples to its end. Return True if it broke, so that subscribing again is worth a try.

        A connection breaks when the network or the node stalls, or when this coordinator stood still for longer than keepalive
        (c1m/wire/grpc_options.py) permits; the node itself may be well. ``lose_silent_nodes`` decides how long it may be
        silent. Raises GoneError when no process listens any more.
        """
        try:
            async with aclosing(samples):
                async for received in samples:
                    if received.sample.closing_reason and not self.state.closing:
                        self.leave(entry, received.sample.closing_reason)
                        return False
                    self.detector.wake(self.state.clock.now())
                    self.detector.hear(entry.name)
                    self.hear(entry, received)
        except GoneError:
            raise
        except UnreachableError:
            return entry.sample.phase is not Phase.CLOSED
        return False

    def leave(self, entry: NodeRecord, because: ClosingReason) -> None:
        """Declare a node lost that closes although this coordinator did not ask it to. Returns nothing.

        The later counts of the node are those of its closing, and are not read.
        """
        self.lose(entry, LossReason(LossKind.LEFT, closing=because, pause=self.pause_since(entry)))

    def pause_since(self, entry: NodeRecord) -> CoordinatorPause | None:
        """Return a pause of this coordinator since the node's last sample; None when there was none."""
        self.detector.wake(self.state.clock.now())
        pause, began = self.detector.pause, self.state.ledger.timeline.began
        if pause is None or (entry.trail.sample and entry.name not in self.detector.unheard):
            return None
        return CoordinatorPause(pause.seconds, None if began is None or pause.began < began else pause.began - began)

    async def lose_silent_nodes(self) -> None:
        """Declare nodes lost that have been silent for SILENCE_SECONDS. Runs until it is cancelled."""
        while True:
            for name in self.detector.tick(self.state.clock.now()):
                self.lose(self.state.ledger.entry(name), LossReason(LossKind.SILENT, silent_seconds=SILENCE_SECONDS))
            await asyncio.sleep(TICK_SECONDS)

    def hear(self, entry: NodeRecord, received: ReceivedSample) -> None:
        """Take in one sample."""
        self.state.hear(entry, received)
        self.changed.set()

    def lose(self, entry: NodeRecord, reason: LossReason) -> None:
        """Declare a node lost for the rest of the run, for the given reason. Returns nothing.

        A second call for the same node changes nothing.
        """
        if entry.lost:
            return
        self.state.lose(entry, reason)
        stream = self.streams.get(entry.name)
        if stream and stream is not asyncio.current_task():
            stream.cancel()
        self.on_loss(entry)
        self.changed.set()

    def move(self, entry: NodeRecord, taken_by: Mapping[str, int], not_taken: str) -> None:
        """Record how many connections of a lost worker each other worker has taken over, and why not all of them.

        The ledger and the journal get the record, the user a sentence. Returns nothing.
        """
        self.state.move(entry, taken_by, not_taken)
        self.changed.set()

    async def wait(
        self,
        doing: Doing,
        done: Callable[[], bool],
        progress: Callable[[], float | None],
        seconds: float | None = None,
    ) -> bool:
        """Wait until ``done`` returns true, which is checked when samples have come. Return False if the time was over first.

        ``doing``: what the view and the timeline show. ``seconds``: the time; None: for ever.
        """
        self.state.turn(doing)
        now = self.state.clock.now
        began = now()
        deadline = None if seconds is None else began + seconds
        while not done():
            self.state.notice()
            self.state.show(doing, progress())
            left = SHOW_SECONDS if deadline is None else min(SHOW_SECONDS, deadline - now())
            if left <= 0:
                return False
            # With a thousand nodes a check takes milliseconds, and samples come all the time.
            rest = min((now() - began) * (1 / LOOK_SHARE - 1), left)
            await asyncio.sleep(rest)
            await event_within(self.changed, left - rest)
            began = now()
        self.state.show(doing, progress())
        return True

    async def heard_again(self) -> None:
        """Wait until every node has sent a sample since this coordinator last stood still, or is lost. Returns nothing."""
        self.detector.wake(self.state.clock.now())
        if self.detector.unheard:
            await self.wait(Doing.WAKING, lambda: not self.detector.unheard, lambda: None)

    async def settle(self, doing: Doing, count: Callable[[], int], goal: Callable[[], int]) -> None:
        """Wait until the count of ``count`` equals that of ``goal``, or has not moved for SETTLE_SECONDS. Returns nothing."""
        while count() != goal():
            seen = count()
            moved = await self.wait(doing, lambda: count() != seen, lambda: None, SETTLE_SECONDS)  # noqa: B023
            if not moved:
                return

    async def end(self) -> None:
        """Record the end of the run in the journal and the timeline, and end the streams of all nodes. Returns nothing."""
        self.state.end()
        tasks = [*self.streams.values(), *([self.losing] if self.losing else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def failed_calls(entries: Sequence[NodeRecord], answers: Sequence[BaseException | None]) -> list[tuple[NodeRecord, C1mError]]:
    """Return the records of those nodes whose calls failed, each with the C1mError of the call.

    Raises the first other error among the answers.
    """
    failed = [(entry, answer) for entry, answer in zip(entries, answers, strict=True) if answer is not None]
    for _, answer in failed:
        if not isinstance(answer, C1mError):
            raise answer
    return [(entry, answer) for entry, answer in failed if isinstance(answer, C1mError)]


def reason_of_error(error: C1mError, pause: CoordinatorPause | None = None) -> LossReason:
    """Return why a node is lost whose call failed with the error. ``pause`` as in LossReason."""
    kind = LossKind.UNREACHABLE if isinstance(error, UnreachableError) else LossKind.REFUSED
    return LossReason(kind, str(error), pause=pause)


async def event_within(event: asyncio.Event, seconds: float) -> None:
    """Wait until an event is set, and clear it; wait no longer than ``seconds``. Returns nothing."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
    event.clear()
