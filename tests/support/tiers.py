"""A pytest plugin: the tier of each test, from its folder, and a file of the tests that failed.

The folder says what a test needs, so nobody marks that by hand. ``acceptance`` is the one mark that is set by hand: the test belongs
to the third tier (`make acceptance`), because another one of its kind is in the second.
"""

from __future__ import annotations

from pathlib import Path

import pytest

TIERS = ("unit", "programs", "lab", "project")
TESTS = Path(__file__).parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--failed-to", metavar="FILE", help="write the names of the tests that failed, one a line")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0]
        item.add_marker(getattr(pytest.mark, folder))


class Failures:
    """The tests that failed, in the process that reports."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and report.nodeid not in self.names:
            self.names.append(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text("".join(f"{name}\n" for name in self.names), encoding="utf-8")


def pytest_configure(config: pytest.Config) -> None:
    path = config.getoption("--failed-to")
    if path and not hasattr(config, "workerinput"):  # not in a process of pytest-xdist, which reports to this one
        config.pluginmanager.register(Failures(Path(path)))
