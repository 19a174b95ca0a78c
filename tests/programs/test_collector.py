"""The garbage collector: deferred in the three control processes while connections are open, and no longer."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import weakref
from collections import defaultdict
from pathlib import Path

import pytest

from c1m.app.collector import DEFERRED, deferred

SPY = """
import gc, os, sys

def told(name):
    change = getattr(gc, name)
    def tell(*words):
        change(*words)
        with open(os.environ["SPY"], "a") as spy:
            print(os.getpid(), os.path.basename(os.path.dirname(sys.argv[0])), name, *words, file=spy)
    return tell

for name in ("freeze", "set_threshold", "unfreeze"):
    setattr(gc, name, told(name))
"""


class Knot:
    """In a cycle with itself, so that only the collector ends it."""

    def __init__(self) -> None:
        self.itself = self


def test_deferred_freezes_what_exists_and_restores_all_of_it() -> None:
    before = gc.get_threshold()
    with deferred():
        assert gc.get_freeze_count() > 1000  # pytest's modules alone are more
        assert gc.get_threshold() == DEFERRED > before

    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, 0)


def test_deferred_ends_with_an_error() -> None:
    before = gc.get_threshold()
    with pytest.raises(ValueError, match="broken"), deferred():
        raise ValueError("broken")

    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, 0)


def test_cycles_are_collected_however_long_it_lasts() -> None:
    with deferred():
        first = weakref.ref(Knot())
        assert first() is not None  # nothing collected it yet
        alive = [weakref.ref(Knot()) for _ in range(3 * DEFERRED[0])]
        assert first() is None
        assert sum(each() is not None for each in alive) < 2 * DEFERRED[0]


def test_every_control_process_defers_the_collector_during_a_run(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(SPY)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "SPY": str(tmp_path / "spy")}
    command = [sys.executable, "-m", "c1m.coordinator", "run", "--total", "50", "--hold", "0s", "--no-journal"]

    subprocess.run(command, env=environment, capture_output=True, check=True, timeout=100)

    told = defaultdict[str, list[str]](list)
    for line in (tmp_path / "spy").read_text().splitlines():
        pid, program, what = line.split(maxsplit=2)
        told[f"{program} {pid}"].append(what)
    for program in ("coordinator", "worker", "target"):
        (changes,) = (changes for name, changes in told.items() if name.startswith(f"{program} "))
        assert changes == [
            "freeze",
            f"set_threshold {DEFERRED[0]} {DEFERRED[1]} {DEFERRED[2]}",
            "set_threshold " + " ".join(map(str, gc.get_threshold())),
            "unfreeze",
        ], told
