"""Cells tried, some at the same time, each told in a line when it is over."""

from __future__ import annotations

import signal
import traceback
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

from cell import Cell, observe
from judgement import complaints
from observation import Observation
from patience import Interrupted, interrupted


def attempt(cells: Iterable[Cell], at_once: int, take: Callable[[Observation], None]) -> int:
    """How many had complaints. ``take`` gets each observation. ^C ends what goes on, and nothing of it stays."""
    lock = Lock()

    def one(number: int, cell: Cell) -> int:
        if interrupted.is_set():
            return 0
        try:
            seen = observe(cell, str(number))
        except Interrupted:
            return 0
        except Exception as defect:  # of the trial itself, which is no reason not to try the others
            traceback.print_exc()
            seen = cell.unseen()
            seen.troubled = f"{type(defect).__name__}: {defect}"
        with lock:
            take(seen)
            print(line(seen), flush=True)
        return bool(complaints(seen))

    before = signal.signal(signal.SIGINT, lambda *_: interrupted.set())
    try:
        with ThreadPoolExecutor(at_once) as threads:
            return sum(threads.map(one, *zip(*enumerate(cells), strict=True)))
    finally:
        signal.signal(signal.SIGINT, before)


def line(seen: Observation) -> str:
    noticed = "-" if seen.noticed_seconds is None else f"{seen.noticed_seconds:.1f} s"
    ended = "-" if seen.ended_seconds is None else f"{seen.ended_seconds:.1f} s"
    told = (
        f"{seen.name:40} noticed {noticed:>7}  over {ended:>7} of {seen.allowed_seconds:.1f}  {seen.verdict} {seen.exit_code}"
    )
    return "\n    ".join([told, *complaints(seen)])
