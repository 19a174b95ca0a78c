"""Which unit tests concern which lines, from one run of them under coverage."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import coverage
import pytest

from mutants import Change


class Contexts:
    """A pytest plugin: names the running test to coverage, and keeps how long each took that passed."""

    def __init__(self, measured: coverage.Coverage) -> None:
        self.measured = measured
        self.seconds: dict[str, float] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.measured.switch_context(item.nodeid)
        try:
            return (yield)
        finally:
            self.measured.switch_context("")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:
            self.seconds[report.nodeid] = report.duration


class Concerned:
    """The tests that run a line. The quickest come first."""

    def __init__(self, root: Path, build: Path, tests: Sequence[str]) -> None:
        """``tests``: the only files and folders that count."""
        self.root = root
        self.path, self.times = build / "mutation.coverage", build / "mutation-seconds.json"
        self.tests = tests

    def measure(self, modules: Sequence[str]) -> int:
        """Run the tests under coverage. Return pytest's exit code. The process may have imported nothing of c1m before."""
        self.path.unlink(missing_ok=True)
        files = [str((self.root / each).resolve()) for each in modules]
        measured = coverage.Coverage(data_file=self.path, include=files, config_file=False)
        contexts = Contexts(measured)
        measured.start()
        code = pytest.main([*self.tests, "-q", "--no-header", "--assert=plain", "-p", "no:cacheprovider"], plugins=[contexts])
        measured.stop()
        measured.save()
        self.times.write_text(json.dumps(contexts.seconds), encoding="utf-8")
        return int(code)

    def load(self, modules: Sequence[str]) -> None:
        """Read what ``measure`` wrote. In a fork of this process coverage would find nothing."""
        data = coverage.CoverageData(basename=str(self.path))
        data.read()
        self.seconds: dict[str, float] = json.loads(self.times.read_text(encoding="utf-8"))
        self.by_line = {each: self.tests_by_line(data, each) for each in modules}
        files = {name.partition("::")[0] for name in self.seconds}
        self.imports = {name: set(imported(ast.parse((self.root / name).read_text(encoding="utf-8")))) for name in files}

    def tests_by_line(self, data: coverage.CoverageData, module: str) -> dict[int, list[str]]:
        """Return line -> names of the tests that run it. A line that runs when the module is imported has none for that."""
        found = data.contexts_by_lineno(str((self.root / module).resolve()))
        return {line: [name for name in names if name in self.seconds] for line, names in found.items()}

    def of_module(self, module: str) -> set[str]:
        """Return the tests that run a function of a module."""
        return {name for names in self.by_line[module].values() for name in names}

    def of_change(self, change: Change, module: str) -> list[str]:
        """Return the tests that run the function around a change.

        What runs when the module is imported concerns all tests that run a line of it, or that import from its package.
        """
        first, last = change.lines
        if change.in_function:
            names = {name for line in range(first, last + 1) for name in self.by_line[module].get(line, [])}
        else:
            package = dotted(module).rpartition(".")[0]
            files = {name for name, found in self.imports.items() if any(each.startswith(package) for each in found)}
            names = self.of_module(module) | {name for name in self.seconds if name.partition("::")[0] in files}
        return sorted(names, key=lambda name: (self.seconds[name], name))


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield the names of the modules that a tree imports from."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (each.name for each in node.names)


def dotted(module: str) -> str:
    """Return the name by which a file of the tree is imported."""
    name = module.removesuffix(".py").replace("/", ".")
    return name if name.startswith("c1m.") else f"c1m.{name}"


def imported_path(root: Path, module: str) -> Path:
    """Return the path through which Python imports a file of the tree: by the links in c1m/."""
    return root / (dotted(module).replace(".", "/") + ".py")
