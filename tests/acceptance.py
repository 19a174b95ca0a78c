"""The third tier, `make acceptance`: every case, all servers, the matrix of faults, a million connections, mutants, and
long fuzzing.

It takes hours, root, and Debian's packages. Each part is a command with its own bound of time; its output goes to
build/acceptance. Afterwards docs/acceptance.md says what was run, on which commit, machine and day, under which load,
and what came of it. With names of parts as arguments only those are run, and the page says so.
"""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

OUTPUT = Path("build/acceptance")
PAGE = Path("docs/acceptance.md")


@dataclass(frozen=True)
class Part:
    """One command of the third tier. ``hours`` bounds it."""

    name: str
    what: str
    words: tuple[str, ...]
    hours: float


PARTS = (
    Part("tests", "every case of every feature", ("tests/tier.py", "acceptance"), 1),
    Part("servers", "what a connection costs servers of other people", ("bench/servers.py",), 1),
    Part("faults", "the matrix of faults", ("faults/matrix.py", "--again"), 3),
    Part("speed", "150,000 connections beside C", ("bench/run.py",), 1),
    Part("million", "1,000,000 connections beside C", ("bench/run.py", "--million"), 1),
    Part("reworded", "every sentence reworded, which no decision notices", ("tests/reword.py",), 1),
    Part("mutation", "small changes of modules, which unit tests notice", ("tests/mutation/mutate.py",), 2),
    Part("fuzz", "a million inputs", ("fuzz/run.py", "--inputs", "1000000"), 4),
)


@dataclass(frozen=True)
class Result:
    part: Part
    code: int | None  # None: it was ended, since it took too long
    seconds: float
    last_line: str
    load: str  # of one minute, before and after

    @property
    def words(self) -> str:
        """What came of it, for a table."""
        if self.code is None:
            return f"ended after {self.part.hours:g} h"
        return "passed" if self.code == 0 else f"failed (exit code {self.code})"


def load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


def run(part: Part) -> Result:
    """Run one part to its end, or to the end of its time. Its output goes to a file."""
    print(f"{part.name}: {part.what}, at most {part.hours:g} h", flush=True)
    path, before, begun = OUTPUT / f"{part.name}.txt", load(), time.monotonic()
    with path.open("w", encoding="utf-8") as output:
        try:
            command = [sys.executable, *part.words]
            code: int | None = subprocess.call(command, stdout=output, stderr=subprocess.STDOUT, timeout=part.hours * 3600)
        except subprocess.TimeoutExpired:
            code = None
    lines = [line.strip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    result = Result(part, code, time.monotonic() - begun, lines[-1][:120] if lines else "", f"{before} to {load()}")
    print(f"{part.name}: {result.words} after {result.seconds / 60:.1f} min", flush=True)
    return result


def output_of(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def page(results: list[Result]) -> str:
    """The page for the repository. What was not run is listed as that."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    commit = output_of("git", "rev-parse", "--short", "HEAD")
    changed = ", with changes that are not committed" if output_of("git", "status", "--porcelain") else ""
    rows = [
        f"| {each.part.name} | {each.part.what} | {each.words} | {each.seconds / 60:.1f} min | {each.load} | "
        f"{each.last_line.replace('|', '/')} |"
        for each in results
    ]
    left = [part for part in PARTS if part not in [each.part for each in results]]
    rows += [f"| {part.name} | {part.what} | not run | | | |" for part in left]
    return "\n".join(
        [
            "# Acceptance",
            "",
            "The last result of `make acceptance`, the third tier of tests, as `tests/acceptance.py` wrote it.",
            "",
            (
                f"Commit {commit}{changed}, {datetime.date.today()}. {os.cpu_count()} processors, {memory / 1e9:.1f} GB, Linux "
                f"{platform.release()}, Python {platform.python_version()}."
            ),
            "",
            "| part | what it is | result | time | load | last line |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def main(names: list[str]) -> int:
    unknown = set(names) - {part.name for part in PARTS}
    if unknown:
        print(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(part.name for part in PARTS)}")
        return 2
    OUTPUT.mkdir(parents=True, exist_ok=True)
    results = [run(part) for part in PARTS if not names or part.name in names]
    PAGE.write_text(page(results), encoding="utf-8")
    return 0 if all(result.code == 0 for result in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
