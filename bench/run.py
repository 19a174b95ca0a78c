"""Measure what c1m costs beside the kernel, beside the interpreter, and beside another commit of itself.

All of them open the same connections over loopback, by turns, under conditions that the bench sets and restores itself. It
prints medians and paired ratios with the 95 % interval of their median. It calls no figure when the machine was not quiet.

exit codes: 0 figures; 1 a run failed; 2 bad options; 3 no figures, because the machine was not quiet
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from commands import BenchError
from figures import Result, append, reason, record, result_of
from paired import Ratio
from quiet import Condition, conditions
from trees import Tree, commit_of, prepare, this_tree, tree_of
from turns import Sitting, Turn, sit
from ways import c1m, references

HISTORY = Path(__file__).with_name("history.jsonl")
NOT_CALLED, INTERRUPTED = 3, 130  # exit codes
PATIENCE = "wait for a quiet machine before each turn, at most this long; default: 90, since a TIME_WAIT lasts 60"
UNITS = {"per_second": "connections/s", "cpu_us": "CPU a connection", "pss": "PSS a connection"}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--total", type=int, metavar="N", help="connections of each run; default: 150000")
    parser.add_argument("--million", action="store_true", help="the same as --total 1000000 --rounds 1")
    parser.add_argument("--rounds", type=int, metavar="N", help="turns of each way; default: 15; an interval takes 6")
    parser.add_argument("--against", metavar="REV", help="compare with this commit, and with planned C alone of the references")
    parser.add_argument("--patience", type=float, metavar="SECONDS", default=90.0, help=PATIENCE)
    parser.add_argument("--anyway", action="store_true", help="measure on a machine that is not quiet; still calls no figure")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every turn and the result to this file")
    parser.add_argument("--history", type=Path, metavar="FILE", default=HISTORY, help="append the result; default: %(default)s")
    given = parser.parse_args()
    given.total = given.total if given.total is not None else 1_000_000 if given.million else 150_000
    given.rounds = given.rounds if given.rounds is not None else 1 if given.million else 15
    for name in ("total", "rounds"):
        if getattr(given, name) < 1:
            parser.error(f"--{name} {getattr(given, name)}: it must be at least 1")
    for name in ("json", "history"):
        if (path := getattr(given, name)) and not path.absolute().parent.is_dir():
            parser.error(f"--{name} {path}: {path.parent} is not a directory")
    try:
        given.against = given.against and commit_of(given.against)
    except BenchError as error:
        parser.error(f"--against {given.against}: {error}")
    return given


def measure(given: argparse.Namespace, directory: Path) -> tuple[Result, Sitting, Tree, Tree | None]:
    """Prepare everything, set the conditions, and let all ways take turns. Raises BenchError."""
    tree = this_tree()
    other = tree_of(given.against, directory) if given.against else None
    trees = [tree, other] if other else [tree]
    for each in trees:
        prepare(each, directory)
    ways = [*references(given.total, directory, bool(other)), *(c1m(each, given.total, directory) for each in trees)]
    with conditions() as found:
        print("\n".join(condition_line(condition) for condition in found), file=sys.stderr)
        sitting = Sitting()
        if given.anyway or not any(condition.problem for condition in found):
            patience = None if given.anyway else given.patience
            sitting = sit(ways, given.total, given.rounds, patience, lambda turn: print(turn_line(turn), file=sys.stderr))
    return result_of(sitting, found, given.total, tree.name), sitting, tree, other


# -- what is printed


def condition_line(condition: Condition) -> str:
    return f"{condition.name}: {condition.setting}" + (f"; {condition.problem}" if condition.problem else "")


def turn_line(turn: Turn) -> str:
    before, use, measured = turn.before, turn.use, turn.measured
    beside = f"before: idle {before.idle_share:.0%}, load {before.load_average:.2f}, waited {before.waited_seconds:.0f} s"
    if measured is None:
        return f"round {turn.round}: {turn.way:10} not measured; {beside}"
    return (
        f"round {turn.round}: {turn.way:10} {measured.per_second:9,.0f}/s, {turn.cpu_us:5.1f} us of CPU each; {beside}; "
        f"during: others {use.others_share:.1%}, host {use.stolen_share:.1%}" + ("; NOT QUIET" if turn.noise else "")
    )


def report(result: Result, tree: Tree, other: Tree | None) -> str:
    """Medians, pairs and intervals of what was measured."""
    commits = f"{tree.commit or 'an unknown commit'}{' with uncommitted changes' if tree.dirty else ''}"
    commits += f" against {other.commit}" if other else ""
    lines = [
        f"{result.total:,} connections, {result.rounds} rounds, {commits}; medians:",
        f"{'':12} {'per second':>11} {'ramp':>8} {'closed in':>9} {'CPU each':>9} {'PSS each: worker':>17} {'target':>9}",
    ]
    lines += [median_line(way, values) for way, values in result.medians.items()]
    for way, ratios in result.ratios.items():
        lines += [ratio_line(f"{tree.name} / {way}, {UNITS[name]}", ratio) for name, ratio in ratios.items()]
    if raw := result.medians.get("planned C"):
        lines.append(
            f"raw connect of this sitting (planned C): {raw['client_cpu_us']:.1f} us of client CPU, "
            f"{raw['ramp_cpu_us']:.1f} us with the acceptor's"
        )
    return "\n".join(lines)


def median_line(way: str, values: dict[str, float]) -> str:
    pss = [f"{values[name]:,.0f} B" if name in values else "" for name in ("worker_pss", "target_pss")]
    return (
        f"{way:12} {values['per_second']:11,.0f} {values['ramp_seconds']:6.2f} s {values['close_seconds']:7.2f} s "
        f"{values['cpu_us']:6.1f} us {pss[0]:>17} {pss[1]:>9}"
    ).rstrip()


def ratio_line(name: str, ratio: Ratio) -> str:
    between = ratio.interval
    interval = (
        f"{between.coverage:.1%} interval {between.low:.3f} to {between.high:.3f}" if between else "no interval: takes 6 rounds"
    )
    return f"{name}: {ratio.median:.3f} ({interval}); pairs {' '.join(f'{pair:.3f}' for pair in ratio.pairs)}"


def document(line: dict[str, object], sitting: Sitting) -> str:
    return json.dumps(line | {"turns": [asdict(turn) for turn in sitting.turns]}, indent=2) + "\n"


def main() -> int:
    given = arguments()
    try:
        with tempfile.TemporaryDirectory(prefix="c1m-bench-") as directory:
            result, sitting, tree, other = measure(given, Path(directory).resolve())
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the conditions are restored", file=sys.stderr)
        return INTERRUPTED
    line = record(result, sitting, tree, other, datetime.now(UTC))
    append(given.history, line)
    if given.json:
        given.json.write_text(document(line, sitting))
    if result.rounds and (result.called or given.anyway):
        print(report(result, tree, other))
    if not result.called:
        print(f"not called: {reason(result)}")
        return NOT_CALLED
    return 0


if __name__ == "__main__":
    sys.exit(main())
