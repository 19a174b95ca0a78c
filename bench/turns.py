"""Rounds in which each way has its turn, on a quiet machine or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum

from noise import Before, Use, await_quiet, processors_watched
from quiet import memory_to_touch, touch_memory
from ways import Measured, Way

REPEATS = 2  # of a turn during which the machine was not quiet
PATIENCE_SECONDS = 90.0  # for the machine to become quiet before a turn; a TIME_WAIT lasts 60 s


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


def sit(ways: Sequence[Way], total: int, rounds: int, anyway: bool, report: Callable[[Turn], None]) -> Sitting:
    """Let every way have its turn in every round, forwards and backwards by turns, so that neither order favours one.

    The sitting ends with the first turn for which the machine did not become quiet. With ``anyway`` it goes on to the end,
    and nothing waits or is repeated.
    """
    sitting = Sitting()
    for number in range(1, rounds + 1):
        for way in ways if number % 2 else reversed(ways):
            turn = None
            for turn in attempts(number, way, total, anyway):
                report(turn)
            assert turn is not None  # there is one attempt at least
            sitting.turns.append(turn)
            sitting.noisy = sitting.noisy or (turn if turn.noise else None)
            if turn.noise and not anyway:
                return sitting
    return sitting


def attempts(number: int, way: Way, total: int, anyway: bool) -> Iterator[Turn]:
    """Take a turn until the machine was quiet during it, or REPEATS times more. No attempt follows a loud wait."""
    for _ in range(1 if anyway else 1 + REPEATS):
        turn = take(number, way, total, anyway)
        yield turn
        if turn.noise is not Noise.DURING:
            return


def take(number: int, way: Way, total: int, anyway: bool) -> Turn:
    before = await_quiet(0.0 if anyway else PATIENCE_SECONDS)
    if not before.quiet and not anyway:
        return Turn(number, way.name, before, Use(), None)
    touch_memory(memory_to_touch(total))  # right before the run: the host takes it back within seconds
    with processors_watched() as use:
        measured = way.measure()
    return Turn(number, way.name, before, use, measured)
