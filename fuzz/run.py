"""Fuzz c1m: python fuzz/run.py [--seconds N | --inputs N] [--seed N] [TARGET...]

Each target gets its share of the inputs, or of the time. What finds something, or is the first of its kind, stays in
fuzz/corpus/TARGET/, and tests/project/test_fuzz.py tries it again in every run of the suite. Exit code 1 when something was
found.
"""

from __future__ import annotations

import argparse
import sys

from campaign import CORPUS, apart
from targets import TARGETS

ENDLESS = 2**62


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="over all targets (default: 60)")
    parser.add_argument("--inputs", type=int, help="over all targets, however long they take")
    parser.add_argument("--seed", type=int, default=1, help="repeats a campaign (default: 1)")
    parser.add_argument(
        "--atheris", action="store_true", help="choose inputs by coverage, of one target (pip install '.[fuzz]')"
    )
    parser.add_argument("target", nargs="*", metavar="TARGET", help=f"default: all of {', '.join(TARGETS)}")
    options = parser.parse_args()
    unknown = [name for name in options.target if name not in TARGETS]
    if unknown:
        parser.error(f"there is no target {unknown[0]!r}; there are {', '.join(TARGETS)}")
    chosen = [TARGETS[name] for name in options.target or TARGETS]
    if options.atheris:
        from guided import guided

        return guided(chosen[0], options.seconds)
    most = -(-options.inputs // len(chosen)) if options.inputs else ENDLESS
    seconds = float("inf") if options.inputs else options.seconds / len(chosen)
    tried, found = 0, 0
    for target in chosen:
        outcome = apart(target, options.seed, most, seconds, CORPUS)
        tried += outcome.inputs
        rate = outcome.inputs / max(outcome.seconds, 1e-9)
        print(f"{target.name:12} {outcome.inputs:>10,} inputs in {outcome.seconds:7.1f} s, {rate:>8,.0f}/s", flush=True)
        if outcome.defect:
            found += 1
            print(f"{target.name}: {outcome.data!r}\n{outcome.defect}", file=sys.stderr, flush=True)
    print(f"{tried:,} inputs, {found} defects")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
