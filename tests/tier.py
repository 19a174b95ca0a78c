"""The second tier, `make test`: stages of pytest, a second try for what failed, and what was flaky.

Unit tests run in process and are never tried again. Tests that drive the real kernel to its limits, on a machine that
is full of their neighbours, are tried once more, one after another; a test that then passes is flaky. The last lines
list those, and so does build/flaky.txt. With CI=true more than two of them fail the run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

BUILD = Path("build")
FLAKY = BUILD / "flaky.txt"
MOST_FLAKY = 2  # that CI lets pass
MOST_AGAIN = 20  # tests that are tried again: if more fail, the tree is broken
NO_TESTS = 5  # pytest's exit code when nothing was selected

SECOND_TIER = "not acceptance"
MEASURED = ("-n", "2", "tests/unit", "tests/programs/test_embedded.py", "-m", f"{SECOND_TIER} and not alone")


@dataclass(frozen=True)
class Stage:
    """One call of pytest. ``command`` starts it; ``again``: whether what fails is tried once more."""

    name: str
    words: tuple[str, ...]
    command: tuple[str, ...] = (sys.executable, "-m", "pytest")
    again: bool = True


SIDE_BY_SIDE = ("-n", "auto", "--dist", "worksteal")
UNIT = Stage("unit", ("-n", "2", "tests/unit"), again=False)
COVERED = Stage("coverage", MEASURED, (sys.executable, "-m", "coverage", "run", "-m", "pytest"), again=False)
STAGES = {
    "unit": (UNIT,),
    "test": (
        COVERED,
        Stage("side by side", ("tests", *SIDE_BY_SIDE, "-m", f"{SECOND_TIER} and not alone and not unit")),
        Stage("alone", ("tests", "-m", f"{SECOND_TIER} and alone and not unit")),
    ),
    "acceptance": (
        Stage("side by side", ("tests", *SIDE_BY_SIDE, "-m", "acceptance and not alone")),
        Stage("alone", ("tests", "-m", "acceptance and alone")),
    ),
}
MINUTES = {"unit": 1, "test": 10, "acceptance": 10}
NEEDS = {
    "ip": "iproute2",
    "nft": "nftables",
    "nginx": "nginx-light",
    "redis-server": "redis-server",
    "cc": "gcc libc6-dev",
}


@dataclass
class Outcome:
    """What a run of some stages showed."""

    passed: bool = True
    flaky: list[str] = field(default_factory=list)


def needs() -> str:
    """Return what is missing of what the tests use, as a sentence; empty if everything is there."""
    found = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = [package for program, package in NEEDS.items() if not shutil.which(program, path=found)]
    words = []
    if os.geteuid() != 0:
        words.append("tests that make network namespaces need root")
    if missing:
        words.append(f"tests that use them need Debian's {', '.join(missing)}")
    return "; ".join(words)


def run(stage: Stage, words: Sequence[str], failed: Path) -> tuple[int, list[str]]:
    """Run pytest. Return its exit code and the names of the tests that failed."""
    failed.unlink(missing_ok=True)
    code = subprocess.call([*stage.command, *words, "-q", "-rs", f"--failed-to={failed}"])
    return code, failed.read_text(encoding="utf-8").splitlines() if failed.exists() else []


def run_stage(stage: Stage, outcome: Outcome) -> None:
    """Run a stage, and what failed of it once more where the stage allows that."""
    print(f"-- {stage.name}", flush=True)
    code, names = run(stage, stage.words, BUILD / "failed.txt")
    if code in (0, NO_TESTS):
        return
    if not stage.again or not names or len(names) > MOST_AGAIN:
        outcome.passed = False
        return
    print(f"-- {stage.name}: {len(names)} failed and are tried once more, one after another", flush=True)
    again = BUILD / "failed-again.txt"
    code, still = run(Stage(stage.name, ()), names, again)
    outcome.passed = outcome.passed and code == 0
    if again.exists():  # otherwise pytest itself broke, and nothing is known of these tests
        outcome.flaky += [name for name in names if name not in still]


def report_coverage(outcome: Outcome) -> None:
    """Combine what all processes measured, and fail if it fell below the floor in pyproject.toml."""
    coverage = (sys.executable, "-m", "coverage")
    subprocess.call([*coverage, "combine", "--quiet"])
    if subprocess.call([*coverage, "report", "--skip-covered", "--sort=cover", "--format=total"]):
        print("coverage fell below the floor (fail_under in pyproject.toml): test what you added, in process")
        outcome.passed = False


def keep_bytecode() -> None:
    """Let the programs that tests start write bytecode and find it: compiling c1m takes a fourth of each start."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ.setdefault("PYTHONPYCACHEPREFIX", str((BUILD / "bytecode").absolute()))


def main(tier: str) -> int:
    keep_bytecode()
    missing = needs()
    print(f"{tier}: about {MINUTES[tier]} min on two cores." + (f" Skipped here: {missing}." if missing else ""), flush=True)
    begun, outcome = time.monotonic(), Outcome()
    for stage in STAGES[tier]:
        run_stage(stage, outcome)
        if stage is COVERED:
            report_coverage(outcome)
    BUILD.mkdir(exist_ok=True)
    FLAKY.write_text("".join(f"{name}\n" for name in outcome.flaky), encoding="utf-8")
    too_flaky = os.environ.get("CI") == "true" and len(outcome.flaky) > MOST_FLAKY
    for name in outcome.flaky:
        print(f"flaky: {name}")
    if too_flaky:
        print(f"{len(outcome.flaky)} tests are flaky, and at most {MOST_FLAKY} may be")
    print(f"{tier}: {'passed' if outcome.passed and not too_flaky else 'failed'} in {(time.monotonic() - begun) / 60:.1f} min")
    return 0 if outcome.passed and not too_flaky else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
