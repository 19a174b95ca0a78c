"""Runs in a row, to each of which something random happens: python faults/series.py [--runs 30] [--seed N] [--at-once N]

The same seed has the same things happen. Exit code 1 when a run has complaints.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from random import Random

import results
from cell import Cell
from fault import FAULTS
from matrix import happens
from moment import MOMENTS
from observation import Observation
from trial import attempt
from victim import VICTIMS

LEASES = (3.0, 5.0, 8.0)
ON_LOSS = ("continue", "redistribute", "abort")
SHORTEST_SECONDS, LONGEST_SECONDS = 0.5, 12.0  # that a fault lasts which can end: shorter than any lease, and longer


def chosen(chance: Random) -> Cell:
    victim = chance.choice(list(VICTIMS.values()))
    fault = chance.choice([fault for fault in FAULTS.values() if happens(victim, fault)])
    moment = chance.choice(list(MOMENTS.values()))
    seconds = round(chance.uniform(SHORTEST_SECONDS, LONGEST_SECONDS), 1) if fault.ends else None
    lease = fault.lease_seconds if fault.attaches else chance.choice(LEASES)
    return Cell(victim, fault, moment, lease, seconds, chance.choice(ON_LOSS))


def some(runs: int, seed: int) -> list[Cell]:
    chance = Random(seed)
    return [chosen(chance) for _ in range(runs)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=30, help="default: 30")
    parser.add_argument("--seed", type=int, default=1, help="default: 1")
    parser.add_argument("--at-once", type=int, default=1, help="default: one after the other")
    parser.add_argument("--results", type=Path, help="a file to add what was seen to")
    options = parser.parse_args()

    def keep(seen: Observation) -> None:
        if options.results:
            results.add(options.results, seen)

    failed = attempt(some(options.runs, options.seed), options.at_once, keep)
    print(f"{options.runs} runs with seed {options.seed}, {failed} with complaints")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
