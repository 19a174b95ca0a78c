"""The benches are run by hand. They find what they import, restore the machine, and call no figure on a loud one."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from commands import BenchError
from quiet import AUTOGROUP
from tree import ROOT
from trees import commit_of, prepare, tree_of
from ways import run_c1m

BENCH = ROOT / "bench"
NOT_CALLED = 3

needs_git = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="compares commits, and this is no checkout")
needs_root = pytest.mark.skipif(os.geteuid() != 0 or not AUTOGROUP.exists(), reason="sets a sysctl, which takes root")


def autogroups() -> str:
    return AUTOGROUP.read_text()


@contextmanager
def all_processors_busy() -> Iterator[None]:
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def bench(history: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(BENCH / "run.py"), "--total", "240", "--history", str(history), *words]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)


@pytest.mark.parametrize("name", sorted(path.stem for path in BENCH.glob("*.py")))
def test_a_bench_finds_what_it_imports(name: str) -> None:
    program = f"import sys; sys.path.insert(0, {str(BENCH)!r}); import {name}"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 0, done.stderr


@needs_git
def test_every_process_of_another_commit_is_from_its_tree(tmp_path: Path) -> None:
    """Also the nodes that its coordinator starts, although this checkout may be installed, editable or not."""
    tree = tree_of(commit_of("HEAD"), tmp_path)
    for program in ("coordinator", "worker", "target"):
        with (tree.root / program / "__init__.py").open("a") as file:
            file.write(f"\nimport pathlib\npathlib.Path({str(tmp_path / program)!r} + '.imported').touch()\n")
    prepare(tree, tmp_path)
    for path in tmp_path.glob("*.imported"):
        path.unlink()

    measured = run_c1m(tree, 200, tmp_path)

    assert measured.connections == 200
    assert {path.stem for path in tmp_path.glob("*.imported")} == {"coordinator", "worker", "target"}


@needs_git
def test_a_tree_is_compiled_behind_its_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPYCACHEPREFIX", raising=False)  # bytecode beside its source can be looked for
    tree = tree_of(commit_of("HEAD"), tmp_path)

    prepare(tree, tmp_path)

    for folder in ("c1m/measure", "coordinator/run", "worker", "target"):
        assert list((tree.root / folder / "__pycache__").glob("*.pyc"))


@needs_git
def test_a_tree_that_python_does_not_import_is_refused(tmp_path: Path) -> None:
    """As it is with code that puts another c1m first on the path."""
    tree = tree_of(commit_of("HEAD"), tmp_path)
    with (tree.root / "c1m" / "__init__.py").open("a") as file:
        file.write(f"\n__path__.insert(0, {str(ROOT / 'c1m')!r})\n")

    with pytest.raises(BenchError, match="was imported from"):
        prepare(tree, tmp_path)


@needs_git
def test_an_unknown_revision_is_a_bad_option(tmp_path: Path) -> None:
    process = bench(tmp_path / "history.jsonl", "--against", "no-such-commit")
    _, errors = process.communicate(timeout=60)

    assert process.returncode == 2
    assert "--against no-such-commit" in errors
    assert "Traceback" not in errors


@needs_root
@needs_git
@pytest.mark.alone
def test_on_a_loud_machine_everything_is_measured_and_nothing_called(tmp_path: Path) -> None:
    before = autogroups()
    history, document = tmp_path / "history.jsonl", tmp_path / "bench.json"
    with all_processors_busy():
        process = bench(history, "--anyway", "--rounds", "1", "--against", "HEAD", "--json", str(document))
        output, errors = process.communicate(timeout=200)

    assert process.returncode == NOT_CALLED, errors
    assert "not called: the machine was not quiet (" in output
    assert autogroups() == before
    head = commit_of("HEAD")
    [line] = [json.loads(line) for line in history.read_text().splitlines()]
    assert (line["commit"], line["against"], line["quiet"], line["rounds"], line["total"]) == (head, head, False, 1, 240)
    assert list(line["medians"]) == ["planned C", "c1m", f"c1m {head}"]
    assert set(line["ratios"][f"c1m {head}"]) == {"per_second", "cpu_us", "pss"}
    assert [turn["measured"]["connections"] for turn in json.loads(document.read_text())["turns"]] == [240, 240, 240]


@needs_root
@pytest.mark.alone
def test_a_loud_machine_is_not_measured(tmp_path: Path) -> None:
    history = tmp_path / "history.jsonl"
    with all_processors_busy():
        process = bench(history, "--patience", "0")
        output, errors = process.communicate(timeout=200)

    assert process.returncode == NOT_CALLED, errors
    assert output.startswith("not called: the machine was not quiet (idle ")
    assert len(output.splitlines()) == 1
    assert json.loads(history.read_text())["quiet"] is False


@needs_root
@pytest.mark.alone
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_bench_that_is_stopped_restores_the_machine(tmp_path: Path, number: signal.Signals) -> None:
    before = autogroups()
    process = bench(tmp_path / "history.jsonl", "--anyway", "--rounds", "3")
    assert process.stderr is not None
    assert process.stderr.readline().startswith("kernel.sched_autogroup_enabled: 0 (was ")
    during = autogroups()

    os.killpg(process.pid, number)
    _, errors = process.communicate(timeout=60)

    assert (during, autogroups()) == ("0\n", before)
    assert process.returncode == (130 if number is signal.SIGINT else 143)
    assert "Traceback" not in errors
