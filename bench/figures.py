"""What a sitting comes to: medians of each way, paired ratios, and whether they may be called figures."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from noise import LEAST_IDLE
from paired import Ratio, ratio_of
from quiet import Condition
from trees import Tree
from turns import Sitting, Turn

FIELDS = ("per_second", "cpu_us", "pss")  # compared between c1m and the other ways, where both have them


@dataclass(frozen=True, slots=True)
class Result:
    """``ratios`` are c1m's to each other way's, by way and field. ``unmet`` are the conditions that do not hold."""

    total: int
    rounds: int  # in which every way had its turn
    medians: dict[str, dict[str, float]]
    ratios: dict[str, dict[str, Ratio]]
    noisy: Turn | None
    unmet: tuple[Condition, ...]

    @property
    def called(self) -> bool:
        """Whether the figures count: every condition held, and the machine was quiet to the end."""
        return self.noisy is None and not self.unmet


def result_of(sitting: Sitting, conditions: Sequence[Condition], total: int, ours: str) -> Result:
    """``ours`` is the way that is compared with the others."""
    turns: dict[str, list[Turn]] = {}
    for turn in sorted(sitting.complete(), key=lambda turn: turn.round):
        turns.setdefault(turn.way, []).append(turn)
    values = {way: [numbers(turn) for turn in some] for way, some in turns.items()}
    ratios = {way: ratios_of(values[ours], others) for way, others in values.items() if way != ours}
    unmet = tuple(condition for condition in conditions if condition.problem)
    rounds = len(next(iter(turns.values()), ()))
    return Result(total, rounds, {way: medians_of(some) for way, some in values.items()}, ratios, sitting.noisy, unmet)


def numbers(turn: Turn) -> dict[str, float]:
    """Every number that is known about a turn."""
    assert turn.measured is not None
    found = {**asdict(turn.measured), "cpu_us": turn.cpu_us}
    if turn.measured.worker_pss is not None and turn.measured.target_pss is not None:
        found["pss"] = turn.measured.worker_pss + turn.measured.target_pss
    return {name: value for name, value in found.items() if value is not None}


def medians_of(some: Sequence[dict[str, float]]) -> dict[str, float]:
    """The median of each number that is known about every turn."""
    return {name: statistics.median(each[name] for each in some) for name in some[0] if all(name in each for each in some)}


def ratios_of(ours: Sequence[dict[str, float]], theirs: Sequence[dict[str, float]]) -> dict[str, Ratio]:
    """The paired ratios of each compared field that is known about every turn of both."""
    known = [name for name in FIELDS if all(name in each for each in (*ours, *theirs))]
    return {name: ratio_of([each[name] for each in ours], [each[name] for each in theirs]) for name in known}


def reason(result: Result) -> str | None:
    """Why the figures are not called, as a sentence's end, or None when they are."""
    if result.unmet:
        first = result.unmet[0]
        return f"{first.name}: {first.problem}"
    if result.noisy is None:
        return None
    return f"the machine was not quiet ({noise_of(result.noisy)})"


def noise_of(turn: Turn) -> str:
    """What was loud about a noisy turn."""
    where = f"{turn.way} in round {turn.round}"
    if turn.before.idle_share < LEAST_IDLE:
        return f"idle {percent(turn.before.idle_share)} before {where}"
    if not turn.before.quiet:
        return f"{turn.before.sockets:,} sockets before {where}"
    use = turn.use
    return f"others used {percent(use.others_share)} of the CPU and its host took {percent(use.stolen_share)} during {where}"


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def record(result: Result, sitting: Sitting, tree: Tree, other: Tree | None, now: datetime) -> dict[str, Any]:
    """A line of history.jsonl."""
    turns = sitting.turns  # none when a condition does not hold
    return {
        "commit": tree.commit,
        "dirty": tree.dirty,
        "against": other.commit if other else None,
        "date": now.isoformat(timespec="seconds"),
        "kernel": os.uname().release,
        "cores": os.cpu_count(),
        "total": result.total,
        "rounds": result.rounds,
        "medians": rounded(result.medians),
        "ratios": rounded({way: {name: asdict(ratio) for name, ratio in some.items()} for way, some in result.ratios.items()}),
        "load": max((turn.before.load_average for turn in turns), default=os.getloadavg()[0]),
        "idle_share": rounded(min((turn.before.idle_share for turn in turns), default=None)),
        "others_share": rounded(max((turn.use.others_share for turn in turns), default=None)),
        "stolen_share": rounded(max((turn.use.stolen_share for turn in turns), default=None)),
        "quiet": result.called,
        "reason": reason(result),
    }


def rounded(value: Any) -> Any:
    """The same document with floats of six significant digits."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(each) for each in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def append(path: Path, line: dict[str, Any]) -> None:
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")
