"""Supervises the children of a run: starts them through the zygote, exchanges messages with them, and handles their end."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from itertools import chain

import trio

from c1m.errors import RefusedError
from c1m.kernel import process_footprint
from c1m.measure.latency import microseconds
from c1m.measure.phase import Phase
from c1m.measure.reasons import ExitKind, ExitReason
from c1m.measure.source_latency import SourceLatency, joined_rows, source_latencies
from c1m.measure.tally import Tally, total
from c1m.orders.codec import to_message
from c1m.orders.orders import CloseAll, Order
from c1m.schedule.node_schedule import reached_by_all
from c1m.traffic.turnover import Wave, joined_waves

from . import link
from .child import STUCK_SECONDS, Child, ChildSpec
from .zygote_client import AT_ONCE, ZygoteClient

LOOK_SECONDS = 0.5  # between two checks whether a child that should close makes progress


class Supervisor:
    """Starts, orders and ends the child processes of one run, and adds up their reports."""

    def __init__(
        self,
        zygote: ZygoteClient,
        nursery: trio.Nursery,
        on_change: Callable[[], None],
        on_end: Callable[[Sequence[Child], ExitReason], Awaitable[None]],
    ) -> None:
        """``on_change`` is called when anything changed.

        ``on_end`` is called with children that ended unexpectedly and the reason.
        """
        self.zygote = zygote
        self.nursery = nursery
        self.on_change = on_change
        self.on_end = on_end
        self.children: list[Child] = []
        self.counts: defaultdict[str, Counter[int]] = defaultdict(Counter)  # histogram -> bucket -> count, over all children
        self.exit_reasons: list[ExitReason] = []
        self.mourning = 0  # unexpected ends that are being handled
        self.complete = False  # all children that the run begins with exist; more may join
        self.closing = False  # no more children are started
        self.dismissed = False  # the children were asked to end, so an end is expected

    async def hire(self, recruits: Sequence[ChildSpec]) -> list[Child]:
        """Start child processes, send each its assignment, and return them; from then on their messages are received.

        The list is empty for a run that only observes. Raises RefusedError if an assignment does not fit a link, before
        anything is forked, if children cannot be forked, and if the run is closed meanwhile.
        """
        hired: list[Child] = []
        for child_spec in recruits:
            try:
                link.encode(to_message(child_spec.assignment))
            except ValueError as error:
                raise RefusedError(
                    f"the assignment of {child_spec.name} is too large: {error}; use fewer routes a shard, fewer stages, or "
                    f"a shorter request"
                ) from None
        for start in range(0, len(recruits), AT_ONCE):
            some = recruits[start : start + AT_ONCE]
            children = await self.zygote.fork([each.name for each in some], [each.descriptors for each in some])
            if self.closing:  # while the zygote forked
                for child in children:
                    child.end.close()
                raise RefusedError("the run was closed while its processes were being started")
            for child, child_spec in zip(children, some, strict=True):
                child.kind, child.index = child_spec.kind, child_spec.assignment.index
                self.children.append(child)
                self.nursery.start_soon(self.listen, child)
                await child.send(child_spec.assignment)
            hired += children
        self.complete = True
        self.on_change()
        return hired

    async def listen(self, child: Child) -> None:
        """Receive the messages of one child process until it ends, then count its connections as lost and report its end."""
        while True:
            await trio.lowlevel.wait_readable(child.end)
            message = link.receive(child.end)
            if message is None:
                break
            child.take(message)
            for name, counts in message.get("histograms", {}).items():
                self.counts[name].update(counts)
            self.on_change()
        child.gone.set()
        child.end.close()
        if not self.dismissed:
            child.count_losses()
            self.mourning += 1
            await self.child_ended(child)
            self.mourning -= 1
            self.on_change()

    async def child_ended(self, child: Child) -> None:
        """Record why a child process ended, and call ``on_end``.

        Children that ended with their common process are handled once, together.
        """
        alone = child.last_words or not await self.zygote.has_ended(child)
        if child.mourned:
            return
        carried = [each for each in self.children if each.pid == child.pid and not each.last_words]
        together = [child] if alone else carried
        for each in together:
            each.mourned = True
        for each in together:
            await each.gone.wait()
        exit_reason = await self.zygote.exit_reason(together[0], together[1:])
        exit_reason = self.add(exit_reason)
        self.on_change()
        await self.on_end(together, exit_reason)

    def add(self, exit_reason: ExitReason) -> ExitReason:
        """Add an exit reason, with the next number, to those that the node reports. Return it."""
        self.exit_reasons.append(replace(exit_reason, number=len(self.exit_reasons) + 1))
        return self.exit_reasons[-1]

    def not_replaced(self, exit_reason: ExitReason, because: str) -> ExitReason:
        """Note why the children of an exit reason were not replaced. Return the reason that the node reports from then on."""
        self.exit_reasons[exit_reason.number - 1] = replace(exit_reason, not_replaced=because)
        return self.exit_reasons[exit_reason.number - 1]

    async def order(self, order: Order) -> None:
        """Send an order to every child process of the run. Returns nothing."""
        for child in self.children:
            await child.send(order)

    async def close(self, order: CloseAll) -> None:
        """Send the order to close to every child process of the run.

        A child that is being forked does not get it, and is discarded.
        """
        self.closing = True
        self.nursery.start_soon(self.end_the_stuck, STUCK_SECONDS + order.seconds_a_chunk)
        await self.order(order)

    async def dismiss(self) -> None:
        """Close the link of every child process, which ends all of them, and wait until all have ended and their last tallies
        were read.
        """
        self.closing = self.dismissed = True
        for child in self.children:
            if not child.gone.is_set():
                child.end.shutdown(1)  # SHUT_WR: the child reads the end of the link, and its last tally can still be read
        await self.see_out()

    async def cut_off(self) -> None:
        """End every child process by closing its link, without reading the last messages, and wait until all have ended."""
        self.closing = self.dismissed = True
        for child in self.children:
            if not child.gone.is_set():
                child.gone.set()
                child.end.close()
        await self.see_out()

    async def see_out(self) -> None:
        """Wait until all child processes of the run have ended. Those that make no progress are killed."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.end_the_stuck, STUCK_SECONDS)
            for child in self.children:
                await child.gone.wait()
                await self.zygote.ending(child.pid).wait()
            nursery.cancel_scope.cancel()

    async def end_the_stuck(self, patience: float) -> None:
        """Kill child processes that should close or end, but neither report nor use CPU time for ``patience`` seconds.

        Runs until cancelled. A child that has ended counts as ended even if the zygote, being stopped, does not report it.
        """
        moved: dict[Child, tuple[object, float]] = {}  # the progress of each child, and the time of its last change
        while True:
            for child in self.unfinished():
                if process_footprint.is_over(child.pid):
                    self.zygote.ending(child.pid).set()
                    continue
                far, now = (child.received, process_footprint.cpu_seconds(child.pid)), trio.current_time()
                before, since = moved.setdefault(child, (far, now))
                if far != before:
                    moved[child] = far, now
                elif now - since > patience:
                    child.kill(ExitKind.IDLE, patience)
            await trio.sleep(LOOK_SECONDS)

    def unfinished(self) -> list[Child]:
        """Return the child processes that still have something to do before the run is over.

        One that has closed everything is idle until it is dismissed.
        """
        there = [child for child in self.children if not self.zygote.ending(child.pid).is_set()]
        return there if self.dismissed else [child for child in there if child.phase is not Phase.CLOSED]

    @property
    def alive(self) -> list[Child]:
        """The child processes of the run that have not ended."""
        return [child for child in self.children if not child.gone.is_set()]

    @property
    def pids(self) -> list[int]:
        """The process ids of the children that have not ended, each once."""
        return list(dict.fromkeys(child.pid for child in self.alive))

    def tally(self) -> Tally:
        """Return the sum of all children's tallies, including those that ended."""
        return total(child.tally for child in self.children)

    def histograms(self) -> dict[str, dict[int, int]]:
        """Return the latencies that all child processes have reported so far, as {name: {microseconds: count}}."""
        return {name: microseconds(counts) for name, counts in self.counts.items()}

    def sources(self) -> tuple[SourceLatency, ...]:
        """Return the latencies of each kind and source address, over all child processes."""
        reports = [child.sources for child in self.children]
        rows = {kind: joined_rows(each[kind] for each in reports if kind in each) for kind in dict.fromkeys(chain(*reports))}
        return tuple(latency for kind, found in rows.items() for latency in source_latencies(kind, found))

    def reached_ns(self) -> dict[int, int]:
        """Return {stage: nanoseconds after the start at which the last child reached it} for the stages of the schedule that
        all children have reached.
        """
        return reached_by_all(child.reached_ns for child in self.children if not child.relieved)

    def waves(self) -> tuple[Wave, ...]:
        """Return the effect of each storm on the connections, added up over all child processes."""
        return joined_waves([child.waves for child in self.children])

    def cpu_seconds(self) -> float:
        """Return the CPU time in seconds that all child processes have reported, as a sum."""
        return sum(child.cpu_seconds for child in self.children)
