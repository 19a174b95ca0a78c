"""Programs of ours import nothing from the working directory, whoever may write there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tree import ROOT

from c1m.app.interpreter import module_command

TRAPS = ("random", "socket", "c1m", "trio", "sitecustomize")  # what every program imports, and Python itself when it starts
TRAP = """
with open({marker!r}, "a") as marker:
    print(__file__, file=marker)
raise ImportError("this came from the working directory")
"""


@pytest.fixture
def trapped(tmp_path: Path) -> Path:
    """A directory whose modules leave a marker and break whoever imports them."""
    for name in TRAPS:
        (tmp_path / f"{name}.py").write_text(TRAP.format(marker=str(tmp_path / "marker")))
    return tmp_path


def test_a_run_imports_nothing_from_the_working_directory(trapped: Path) -> None:
    command = [str(Path(sys.executable).with_name("c1m-coord")), "run", "--total", "50", "--hold", "0s", "--no-journal"]
    ended = subprocess.run(command, cwd=trapped, capture_output=True, text=True, timeout=100)

    assert ended.returncode == 0, ended.stderr
    assert not (trapped / "marker").exists()


def test_the_traps_catch_a_plain_python_m(trapped: Path) -> None:
    """Otherwise the test above would prove nothing."""
    command = [sys.executable, "-m", "c1m.coordinator", "--help"]
    ended = subprocess.run(command, cwd=trapped, capture_output=True, text=True, timeout=60)

    assert ended.returncode != 0
    assert (trapped / "marker").exists()


@pytest.mark.parametrize("program", ["coordinator", "worker", "target"])
def test_a_module_is_found_without_the_working_directory(program: str, trapped: Path) -> None:
    """The module comes from the installation, whether that is editable or not."""
    command = module_command(f"c1m.{program}", "--version")
    ended = subprocess.run(command, cwd=trapped, capture_output=True, text=True, timeout=60)

    assert ended.returncode == 0, ended.stderr
    assert not (trapped / "marker").exists()


def test_nothing_starts_a_module_in_another_way() -> None:
    """In the programs, the bench and the matrix of faults."""
    plain = re.compile(r"""["']-m["'], *[*f]?["']?(c1m|words|command)""")
    files = [
        path
        for folder in ("c1m", "coordinator", "worker", "target", "bench", "faults")
        for path in (ROOT / folder).rglob("*.py")
    ]

    assert [str(path.relative_to(ROOT)) for path in files if plain.search(path.read_text())] == []
