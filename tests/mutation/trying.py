"""Tries mutants of one module: each in a fork of a process that has imported all but the module and what imports it."""

from __future__ import annotations

import importlib
import importlib.util
import os
import resource
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType

import hypothesis
import pytest

from concerned import Concerned, dotted, imported_path
from mutants import choose, mutate

CPU_SECONDS = 20.0  # beyond what the tests take; a mutant that takes more is killed
WALL_SECONDS = 300  # a mutant that waits for longer is killed
MOST_BYTES = 4 << 30
WARM = ("hypothesis.strategies", "pytest_trio.plugin", "trio", "cryptography.x509", "google.protobuf.message", "cattrs")


@dataclass(frozen=True)
class Trial:
    """What came of one mutant."""

    module: str
    number: int  # of the change in the module
    line: int
    source: str  # of the line
    where: str
    before: str
    after: str
    tests: int  # that concern it
    killed: bool


class OneModule(SourceFileLoader):
    """Imports one module from other code than its file has."""

    def __init__(self, name: str, path: Path, code: CodeType) -> None:
        super().__init__(name, str(path))
        self.code = code

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        return importlib.util.spec_from_file_location(fullname, self.path, loader=self) if fullname == self.name else None

    def get_code(self, fullname: str) -> CodeType:
        return self.code


class Chosen:
    """A pytest plugin: runs the tests with these names, in this order. Hypothesis looks for no simpler example."""

    def __init__(self, names: Sequence[str]) -> None:
        self.order = {name: index for index, name in enumerate(names)}

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self) -> None:
        phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
        usual = hypothesis.settings.get_profile("unhurried")
        hypothesis.settings.register_profile("mutants", usual, phases=phases, database=None, derandomize=True)
        hypothesis.settings.load_profile("mutants")

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted((each for each in items if each.nodeid in self.order), key=lambda each: self.order[each.nodeid])


def warm(module: str) -> None:
    """Import what a trial needs but the module itself."""
    for name in WARM:
        importlib.import_module(name)
    name = dotted(module)
    importlib.import_module(name)
    del sys.modules[name]
    parent, _, last = name.rpartition(".")
    vars(sys.modules[parent]).pop(last, None)


def try_module(
    module: str, concerned: Concerned, seed: str, most: int, known: Mapping[int, Trial], told: Callable[[Trial], None]
) -> bool:
    """Try mutants of a module. Return whether its tests pass without a change, which is tried first.

    ``known``: results by number of the change; these mutants are not tried.
    """
    path = imported_path(concerned.root, module)
    source = path.read_text(encoding="utf-8")
    lines = source.splitlines()
    warm(module)
    unchanged = compile(source, str(path), "exec", dont_inherit=True)
    if not passes(module, path, unchanged, sorted(concerned.of_module(module)), concerned):
        return False
    for number in choose(source, f"{seed} {module}", most):
        if number in known:
            told(known[number])
            continue
        change, code = mutate(source, str(path), number)
        names = concerned.of_change(change, module)
        killed = not passes(module, path, code, names, concerned)
        line = lines[change.line - 1].strip()
        told(Trial(module, number, change.line, line, change.where, change.before, change.after, len(names), killed))
    return True


def passes(module: str, path: Path, code: CodeType, names: Sequence[str], concerned: Concerned) -> bool:
    """Return whether the tests pass with this code in place of the module's."""
    seconds = CPU_SECONDS + 3 * sum(concerned.seconds[name] for name in names)
    finder = OneModule(dotted(module), path, code)

    def run() -> int:
        sys.meta_path.insert(0, finder)
        files = list(dict.fromkeys(name.partition("::")[0] for name in names))
        words = [*files, "-x", "-q", "--no-header", "--assert=plain", "-p", "no:cacheprovider", "-o", "timeout=0"]
        return int(pytest.main(words, plugins=[Chosen(names)]))

    return not names or in_child(run, seconds) in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)


def in_child(run: Callable[[], int], cpu_seconds: float) -> int:
    """Return what ``run`` returns in a child process; negative if a signal ended it, as one does when its time is up."""
    child = os.fork()
    if not child:
        os.setsid()
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nowhere, descriptor)
        resource.setrlimit(resource.RLIMIT_CPU, (int(cpu_seconds), int(cpu_seconds) + 5))
        resource.setrlimit(resource.RLIMIT_DATA, (MOST_BYTES, MOST_BYTES))
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(WALL_SECONDS)
        code = 1
        try:
            code = run()
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    left_behind(child)
    return os.waitstatus_to_exitcode(status)


def left_behind(group: int) -> None:
    """End what a child has started."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass
