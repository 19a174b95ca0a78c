"""Rewords every sentence of c1m, runs the unit suite, and lists what failed: tests of sentences, and others.

    python tests/reword.py [PYTEST ARGUMENTS]

Decisions are taken by values. A test that fails of anything but a sentence that it names shows one that is taken by text, and
the exit code is 1 then. tests/support/rewording.py says what is reworded.
"""

from __future__ import annotations

import sys

import pytest


class Failures:
    """The tests that failed, by whether a sentence alone was the reason."""

    def __init__(self) -> None:
        self.passed = 0
        self.of_sentences: list[str] = []
        self.others: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            alone = dict(report.user_properties).get("of a sentence alone")
            (self.of_sentences if alone else self.others).append(report.nodeid)
        elif report.when == "call" and report.passed:
            self.passed += 1


def main(*words: str) -> int:
    """Run the unit suite, or what the words select. Return the exit code."""
    found = Failures()
    options = ["-q", "-p", "rewording", "-p", "no:cacheprovider", "--tb=line", "--no-header", "--no-summary"]
    ended = pytest.main([*options, *(words or ("-n", "2", "tests/unit"))], plugins=[found])
    print(f"\n{found.passed:,} tests passed with every sentence reworded")
    print(f"{len(found.of_sentences):,} failed of a sentence alone:", *found.of_sentences, sep="\n  ")
    print(f"{len(found.others):,} failed of something else:", *found.others, sep="\n  ")
    ran = ended in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
    return int(bool(found.others) or not ran)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
