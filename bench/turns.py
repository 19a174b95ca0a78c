"""Rounds in which each way has its turn, on a quiet machine or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial

from noise import Before, Use, await_quiet, processors_watched
from quiet import memory_to_touch, touch_memory
from ways import Measured, Way

ATTEMPTS = 3  # at a turn during which the machine was not quiet


class Noise(Enum):
    """When the machine was not quiet."""

    BEFORE = "before"
    DURING = "during"


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of one way. ``measured`` is None when the machine never became quiet, so that there was no run."""

    round: int
    way: str
    before: Before
    use: Use
    measured: Measured | None

    @property
    def noise(self) -> Noise | None:
        """None for a turn on a quiet machine."""
        if not self.before.quiet:
            return Noise.BEFORE
        return None if self.use.quiet else Noise.DURING

    @property
    def cpu_us(self) -> float | None:
        """CPU microseconds a connection, of all processes of the turn from their start to their end."""
        return self.use.own_seconds / self.measured.connections * 1e6 if self.measured else None


@dataclass(slots=True)
class Sitting:
    """The turns that count, in the order in which they were taken, and the one that ended the sitting because of noise."""

    turns: list[Turn] = field(default_factory=list)
    noisy: Turn | None = None

    def complete(self) -> list[Turn]:
        """The turns of the rounds in which every way was measured."""
        ways = {turn.way for turn in self.turns}
        taken = [turn.round for turn in self.turns if turn.measured]
        return [turn for turn in self.turns if taken.count(turn.round) == len(ways)]


def schedule(ways: Sequence[Way], rounds: int) -> Iterator[tuple[int, Way]]:
    """Every way once in every round, forwards and backwards by turns, so that neither order favours one of them."""
    for number in range(1, rounds + 1):
        for way in ways if number % 2 else reversed(ways):
            yield number, way


def sit(
    ways: Sequence[Way], total: int, rounds: int, patience_seconds: float | None, report: Callable[[Turn], None]
) -> Sitting:
    """Let all ways take their turns. The first turn for which the machine did not become quiet ends the sitting.

    ``patience_seconds`` is how long to wait for a quiet machine before a turn. None measures on any machine, to the end:
    nothing waits or is repeated.
    """
    sitting = Sitting()
    for number, way in schedule(ways, rounds):
        for turn in attempts(partial(take, number, way, total, patience_seconds), 1 if patience_seconds is None else ATTEMPTS):
            report(turn)
        sitting.turns.append(turn)
        sitting.noisy = sitting.noisy or (turn if turn.noise else None)
        if turn.noise and patience_seconds is not None:
            break
    return sitting


def attempts(once: Callable[[], Turn], most: int) -> Iterator[Turn]:
    """Take a turn until the machine was quiet during it, at least once. A turn that did not run is not repeated."""
    for _ in range(most):
        turn = once()
        yield turn
        if turn.noise is not Noise.DURING:
            return


def take(number: int, way: Way, total: int, patience_seconds: float | None) -> Turn:
    before = await_quiet(patience_seconds or 0.0)
    if not before.quiet and patience_seconds is not None:
        return Turn(number, way.name, before, Use(), None)
    touch_memory(memory_to_touch(total))  # right before the run: the host takes it back within seconds
    with processors_watched() as use:
        measured = way.measure()
    return Turn(number, way.name, before, use, measured)
