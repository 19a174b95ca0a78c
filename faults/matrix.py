"""Try the fault matrix: python faults/matrix.py [--at-once N] [--again] [--page docs/faults.md] [WORD...]

Tried is every cell that is not in the results yet, or those whose names have all the words: worker SIGKILL hold. Needs root and
iproute2, nftables, and a C compiler for clocks that jump. Exit code 1 when a cell has complaints.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import results
from cell import Cell, cell
from fault import FAULTS, Fault
from moment import MOMENTS
from page import written
from trial import attempt
from victim import VICTIMS, Victim

RESULTS = Path(__file__).with_name("matrix.jsonl")


def happens(victim: Victim, fault: Fault) -> bool:
    """Only a coordinator keeps a journal and has a successor; a machine has one clock, which all of its processes share."""
    if fault.fills_disk or fault.attaches:
        return victim.name == "coordinator"
    return not fault.moves_clock or victim.name in ("coordinator", "worker control", "target control")


def cells() -> list[Cell]:
    return [
        cell(victim.name, fault.name, moment)
        for victim in VICTIMS.values()
        for fault in FAULTS.values()
        if happens(victim, fault)
        for moment in MOMENTS
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--at-once", type=int, default=2, help="cells that are tried at the same time (default: 2)")
    parser.add_argument("--results", type=Path, default=RESULTS, help=f"where they are kept (default: {RESULTS.name})")
    parser.add_argument("--again", action="store_true", help="those that are there, too")
    parser.add_argument("--page", type=Path, help="write the table there, and try nothing")
    parser.add_argument("word", nargs="*", help="of the names of cells; default: all cells")
    options = parser.parse_args()
    known = results.read(options.results)
    if options.page:
        options.page.write_text(written(options.page.read_text(), cells(), known))
        return 0
    wanted = [each for each in cells() if all(word in each.unseen().name for word in options.word)]
    if not options.again:
        wanted = [each for each in wanted if each.unseen().name not in known]
    if not wanted:
        return 0
    failed = attempt(wanted, options.at_once, lambda seen: results.add(options.results, seen))
    print(f"{len(wanted)} cells, {failed} with complaints")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
