"""Do the unit tests notice a fault? Makes small changes in modules, one at a time, and runs the tests that concern them.

    python tests/mutation/mutate.py                        # 20 mutants of each module of the table
    python tests/mutation/mutate.py coordinator/results/verdict.py --most 60 --seed 2 --tests tests/unit/coordinator/results

A part of `make acceptance`. Without words it fails below the rates that we want, and writes docs/mutation.md.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import multiprocessing
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from concerned import Concerned
from trying import Trial, try_module

ROOT = Path(__file__).parent.parent.parent
BUILD = ROOT / "build"
PAGE = ROOT / "docs" / "mutation.md"
EQUIVALENT = Path(__file__).parent / "equivalent.toml"
MODULES = (Path(__file__).parent / "modules.txt").read_text(encoding="utf-8").split()
EACH = 20
OVER_ALL, IN_EACH = 92, 85  # percent, at least


class Known:
    """The mutants that no test can tell from the module, with the reason for each."""

    def __init__(self, text: str) -> None:
        self.reasons = {
            (each["module"], each["source"], each["before"], each["after"]): each["reason"]
            for each in tomllib.loads(text).get("mutant", [])
        }

    def reason(self, trial: Trial) -> str | None:
        return self.reasons.get((trial.module, trial.source, trial.before, trial.after))


def tell(trial: Trial) -> None:
    if not trial.killed:
        tests = f"{trial.tests} tests pass" if trial.tests else "no test runs it"
        print(f"{place(trial)}: {trial.before} -> {trial.after} ({tests})", flush=True)


def try_in_a_process(module: str, concerned: Concerned, seed: str, most: int, *, keep: bool) -> list[Trial] | None:
    """Return what came of the mutants of a module; None if its tests fail without a mutant.

    They run below a process of their own, since it has imported all but the module. ``keep``: those that were killed by the
    last call are not tried again.
    """
    text = (ROOT / module).read_bytes()
    found = BUILD / "mutants" / f"{module.replace('/', '.')}-{seed}-{most}-{hashlib.sha256(text).hexdigest()[:16]}.jsonl"
    found.parent.mkdir(parents=True, exist_ok=True)
    killed = {trial.number: trial for trial in trials_in(found) if trial.killed} if keep else {}
    with found.open("w", encoding="utf-8") as lines:

        def told(trial: Trial) -> None:
            tell(trial)
            print(json.dumps(asdict(trial)), file=lines, flush=True)

        code = forked(lambda: try_module(module, concerned, seed, most, killed, told))
    return trials_in(found) if code == 0 else None


def trials_in(path: Path) -> list[Trial]:
    """Return the trials that a file has; none if it is missing."""
    return [Trial(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def forked(run: Callable[[], object]) -> int | None:
    """Return the exit code of a fork of this process that calls ``run``: 0 if that returned something true."""
    process = multiprocessing.get_context("fork").Process(target=lambda: sys.exit(0 if run() else 1))
    process.start()
    process.join()
    return process.exitcode


def percent(killed: int, of: int) -> float:
    return 100 * killed / of if of else 100.0


class Result:
    """The mutants of one module. Those that are known to be equivalent do not count."""

    def __init__(self, module: str, trials: list[Trial], known: Known) -> None:
        self.module = module
        self.equivalent = [trial for trial in trials if not trial.killed and known.reason(trial)]
        self.survivors = [trial for trial in trials if not trial.killed and not known.reason(trial)]
        self.counted = len(trials) - len(self.equivalent)
        self.killed = self.counted - len(self.survivors)
        self.percent = percent(self.killed, self.counted)


def page(results: Sequence[Result], known: Known, seed: str) -> str:
    """Return the page for the repository."""
    commit = subprocess.check_output(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, text=True).strip()
    rows = [
        f"| {each.module} | {each.counted} | {each.killed} | {each.percent:.0f} | {len(each.equivalent)} |" for each in results
    ]
    rows += [f"| {module} | not run | | | |" for module in MODULES[len(results) :]]
    survivors = [f"- {place(trial)}: {changed(trial)}" for each in results for trial in each.survivors]
    same = [f"- {place(trial)}: {changed(trial)}: {known.reason(trial)}" for each in results for trial in each.equivalent]
    return "\n".join(
        [
            "# Mutation",
            "",
            "Whether the unit tests notice a fault. `tests/mutation/mutate.py` changes one small thing in a module and runs",
            "those unit tests of its package that run the changed function. A mutant that they pass has survived. The tool",
            "wrote this page.",
            "",
            f"Commit {commit}, {datetime.date.today()}, seed {seed}: {in_all(results)}.",
            "",
            "| module | mutants | killed | percent | equivalent, not counted |",
            "|---|---|---|---|---|",
            *rows,
            "",
            "## Survivors",
            "",
            *(survivors or ["None."]),
            "",
            "## Equivalent mutants",
            "",
            *(same or ["None."]),
            "",
        ]
    )


def in_all(results: Sequence[Result]) -> str:
    killed, counted = sum(each.killed for each in results), sum(each.counted for each in results)
    return f"{killed} of {counted} mutants of {len(results)} modules were killed, {percent(killed, counted):.1f} %"


def place(trial: Trial) -> str:
    return f"{trial.module}:{trial.line} {trial.where}".rstrip()


def changed(trial: Trial) -> str:
    return f"`{trial.before}` -> `{trial.after}`"


def words_of(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", help="files of the tree; without any: all of modules.txt, and a page")
    parser.add_argument("--most", type=int, default=EACH, help="mutants of each module")
    parser.add_argument("--seed", default="1", help="decides which mutants are chosen")
    parser.add_argument("--tests", nargs="+", help="the tests that count; without it those of the modules' packages")
    parser.add_argument("--keep", action="store_true", help="leave out what the last call killed")
    parser.add_argument("--measured", action="store_true", help="use the coverage of the last call")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)  # only run the tests under coverage
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    words = words_of(arguments)
    BUILD.mkdir(exist_ok=True)
    modules = words.modules or MODULES
    known = Known(EQUIVALENT.read_text(encoding="utf-8"))
    tests = words.tests or sorted({f"tests/unit/{module.rpartition('/')[0]}" for module in modules})
    concerned = Concerned(ROOT, BUILD, tests)
    if words.measure:
        return concerned.measure(modules)
    if not words.measured:
        subprocess.run([sys.executable, __file__, "--measure", *modules, "--tests", *tests], check=True)
    concerned.load(modules)
    results = []
    for module in modules:
        trials = try_in_a_process(module, concerned, words.seed, words.most, keep=words.keep)
        if trials is None:
            print(f"{module}: its tests fail without a mutant")
            return 2
        results.append(Result(module, trials, known))
        print(f"{module}: {results[-1].killed} of {results[-1].counted} killed, {results[-1].percent:.0f} %", flush=True)
        if not words.modules:  # after each, since all of them take long
            PAGE.write_text(page(results, known, words.seed), encoding="utf-8")
    print(in_all(results))
    return 0 if words.modules or good_enough(results) else 1


def good_enough(results: Sequence[Result]) -> bool:
    over_all = percent(sum(each.killed for each in results), sum(each.counted for each in results))
    return over_all >= OVER_ALL and all(each.percent >= IN_EACH for each in results)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
