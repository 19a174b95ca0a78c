"""A node's run in this process: its children are played by the test, and its clock is the test's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from types import SimpleNamespace

import trio
import trio.testing
from in_process import InProcessZygote, Numbered, Script, ScriptedChild

from c1m.kernel.reader import HostReader
from c1m.measure.reasons import ChildKind
from c1m.measure.sample import Reading, Sample
from c1m.measure.sampling import OFTEN, SamplingInterval
from c1m.node.node_run import NodeRun
from c1m.orders.orders import CloseAll
from c1m.processes.child import Child, ChildSpec

LEASE = 10.0  # seconds
CLOSING = CloseAll()
LONG_SECONDS = 3600.0  # of the test's clock, which does not pass by itself


class NumberedReadings(HostReader):
    """Readings that say nothing but their number."""

    def __init__(self) -> None:
        self.taken = 0
        self.activity = SimpleNamespace(cpu_seconds=1.5)  # type: ignore[assignment]

    def take(self, *, walk: bool = True) -> Reading:
        self.taken += 1
        return reading(self.taken - 1)


def reading(number: int) -> Reading:
    return Reading(number=number, sockets=None, slab_bytes=None, pss_bytes=None)


class Run:
    """A run, its zygote, and the children that the test plays."""

    def __init__(self, nursery: trio.Nursery, lease: float, *, obeys: bool = True) -> None:
        self.script = Script(nursery, obeys=obeys)
        self.zygote = InProcessZygote(self.script.begin)
        self.reader = NumberedReadings()
        self.run = NodeRun("r", lease, CLOSING, self.reader)

    async def hire(self, count: int, first: int = 0) -> list[Child]:
        """Start children without waiting for their first report."""
        return await self.run.supervisor.hire([spec(index) for index in range(first, first + count)])

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until a condition holds; the test's clock stands still."""
        with trio.fail_after(LONG_SECONDS):
            while not condition():
                await self.run.changed.wait()

    async def settled(self) -> None:
        """Wait until everybody waits for something."""
        await trio.testing.wait_all_tasks_blocked(0.002)

    def child(self, index: int = 0) -> ScriptedChild:
        return self.script.children[index]

    async def kill(self, *numbers: int, status: int = 9) -> None:
        """End these children by a signal, or as wait(2) says it."""
        for number in numbers:
            self.zygote.has_exited(self.run.supervisor.children[number], status)
            self.child(number).die()
        await self.settled()

    def sample(self, pace: SamplingInterval = OFTEN, read: int = -1) -> Sample:
        return self.run.sample(read, pace)


@contextmanager
def watched(run: NodeRun) -> Iterator[None]:
    """A run that somebody watches."""
    run.watch_begins()
    yield
    run.watch_ends()


def spec(index: int) -> ChildSpec:
    return ChildSpec(ChildKind.UNKNOWN, Numbered(index))


@asynccontextmanager
async def node_run(children: int = 2, *, lease: float = LEASE, obeys: bool = True, ready: bool = True) -> AsyncIterator[Run]:
    """A run with children that are ready, until the end of the block, which cancels it. Children end with their links."""
    async with trio.open_nursery() as nursery, trio.open_nursery() as inner:
        it = Run(nursery, lease, obeys=obeys)
        await inner.start(it.run.run, it.zygote)
        await it.hire(children)
        if ready:
            await it.run.all_ready()
        yield it
        inner.cancel_scope.cancel()


class Replacements:
    """Gives each dead child a replacement like it."""

    def __init__(self) -> None:
        self.given_up: list[int] = []

    async def successors_of(self, dead: Sequence[Child]) -> list[ChildSpec]:
        return [spec(child.index) for child in dead]

    def give_up(self, child: Child) -> None:
        self.given_up.append(child.index)
