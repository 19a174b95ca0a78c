"""The children of a run: made by the zygote, spoken to over links, counted when they end."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain

import trio

from c1m.errors import RefusedError
from c1m.kernel import process_footprint
from c1m.measure.latency import microseconds
from c1m.measure.phase import Phase
from c1m.measure.source_latency import SourceLatency, joined_rows, source_latencies
from c1m.measure.tally import Tally, total
from c1m.schedule.node_schedule import reached_by_all
from c1m.traffic.turnover import Wave, joined_waves

from . import link
from .child import STUCK_SECONDS, Child, ChildSpec
from .zygote_client import AT_ONCE, ZygoteClient

LOOK_SECONDS = 0.5  # between two looks whether a child that is to close does


class Supervisor:
    """The children of one run."""

    def __init__(
        self,
        zygote: ZygoteClient,
        nursery: trio.Nursery,
        on_change: Callable[[], None],
        on_end: Callable[[Sequence[Child], str], Awaitable[None]],
    ) -> None:
        """``on_end``: what follows from the end of children that should be there, and how they ended."""
        self.zygote = zygote
        self.nursery = nursery
        self.on_change = on_change
        self.on_end = on_end
        self.children: list[Child] = []
        self.counts: defaultdict[str, Counter[int]] = defaultdict(Counter)  # histogram -> bucket -> how many, of all children
        self.exit_reasons: list[str] = []
        self.mourning = 0  # ends that nothing has followed from yet
        self.complete = False  # all that the run begins with are there; others may join them
        self.closing = False  # nobody else is hired
        self.dismissed = False  # from here on, an end is what we asked for

    async def hire(self, recruits: Sequence[ChildSpec]) -> list[Child]:
        """Fork children, give each its assignment and listen to it. Nobody, for a run that only observes.

        Raises RefusedError for an assignment that no link takes, before anybody is forked, and if the run is closed meanwhile.
        """
        hired: list[Child] = []
        for child_spec in recruits:
            try:
                link.encode(child_spec.assignment)
            except ValueError as error:
                raise RefusedError(
                    f"{child_spec.name} cannot be told what to do: {error}; ask for fewer routes of a shard or stages, or a "
                    f"shorter request"
                ) from None
        for start in range(0, len(recruits), AT_ONCE):
            some = recruits[start : start + AT_ONCE]
            children = await self.zygote.fork([each.name for each in some], [each.descriptors for each in some])
            if self.closing:  # while the zygote forked
                for child in children:
                    child.end.close()
                raise RefusedError("the run was closed while its processes were being made")
            for child, child_spec in zip(children, some, strict=True):
                child.index = child_spec.assignment["index"]
                self.children.append(child)
                self.nursery.start_soon(self.listen, child)
                await child.send(child_spec.assignment)
            hired += children
        self.complete = True
        self.on_change()
        return hired

    async def listen(self, child: Child) -> None:
        """Take in what a child says until it is gone."""
        while True:
            await trio.lowlevel.wait_readable(child.end)
            message = link.receive(child.end)
            if message is None:
                break
            child.take(message)
            for name, news in message.get("histograms", {}).items():
                self.counts[name].update(news)
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
        """Tell how it ended, and what follows from that; once for all whom one process carried and took with it."""
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
        self.exit_reasons.append(exit_reason)
        self.on_change()
        await self.on_end(together, exit_reason)

    async def order(self, order: link.Message) -> None:
        for child in self.children:
            await child.send(order)

    async def close(self, order: link.Message) -> None:
        """The last order. Whoever is being forked now will not get it, and is not taken any more."""
        self.closing = True
        self.nursery.start_soon(self.end_the_stuck, STUCK_SECONDS + order.get("seconds_a_chunk", 0.0))
        await self.order(order)

    async def dismiss(self) -> None:
        """Close every link, which ends every child, and wait until all have ended and their last tallies were read."""
        self.closing = self.dismissed = True
        for child in self.children:
            if not child.gone.is_set():
                child.end.shutdown(1)  # SHUT_WR: the child reads an end, we still read its last tally
        await self.see_out()

    async def cut_off(self) -> None:
        """As ``dismiss``, where nobody listens to them any more: what they say last is lost."""
        self.closing = self.dismissed = True
        for child in self.children:
            if not child.gone.is_set():
                child.gone.set()
                child.end.close()
        await self.see_out()

    async def see_out(self) -> None:
        """Wait until all have ended; kill those that do not go about it."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.end_the_stuck, STUCK_SECONDS)
            for child in self.children:
                await child.gone.wait()
                await self.zygote.ending(child.pid).wait()
            nursery.cancel_scope.cancel()

    async def end_the_stuck(self, patience: float) -> None:
        """Kill children that are to close or to leave, and for so long neither say anything nor use the processor.

        Who has ended has ended, though a zygote that was stopped does not say so.
        """
        moved: dict[Child, tuple[object, float]] = {}  # how far each was, and since when
        while True:
            for child in self.unfinished():
                if process_footprint.is_over(child.pid):
                    self.zygote.ending(child.pid).set()
                    continue
                far, now = (child.said, process_footprint.cpu_seconds(child.pid)), trio.current_time()
                before, since = moved.setdefault(child, (far, now))
                if far != before:
                    moved[child] = far, now
                elif now - since > patience:
                    child.kill(f"did nothing for {patience:.0f} s when it was to close")
            await trio.sleep(LOOK_SECONDS)

    def unfinished(self) -> list[Child]:
        """Who has to do something before the run is over; whoever has closed everything waits for the others."""
        there = [child for child in self.children if not self.zygote.ending(child.pid).is_set()]
        return there if self.dismissed else [child for child in there if child.phase is not Phase.CLOSED]

    @property
    def alive(self) -> list[Child]:
        return [child for child in self.children if not child.gone.is_set()]

    @property
    def pids(self) -> list[int]:
        """Of the processes that carry those."""
        return list(dict.fromkeys(child.pid for child in self.alive))

    def tally(self) -> Tally:
        return total(child.tally for child in self.children)

    def histograms(self) -> dict[str, dict[int, int]]:
        """Of all children: name -> microseconds -> how many, since the beginning."""
        return {name: microseconds(counts) for name, counts in self.counts.items()}

    def sources(self) -> tuple[SourceLatency, ...]:
        """Of all children: each kind that was measured, of each source."""
        told = [child.sources for child in self.children]
        rows = {kind: joined_rows(each[kind] for each in told if kind in each) for kind in dict.fromkeys(chain(*told))}
        return tuple(latency for kind, found in rows.items() for latency in source_latencies(kind, found))

    def reached_ns(self) -> dict[int, int]:
        return reached_by_all(child.reached_ns for child in self.children if not child.relieved)

    def waves(self) -> tuple[Wave, ...]:
        return joined_waves([child.waves for child in self.children])

    def cpu_seconds(self) -> float:
        return sum(child.cpu_seconds for child in self.children)
