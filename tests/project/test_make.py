"""The Makefile's choice of a Python: the newest on the PATH that c1m can use, found by running each."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tree import ROOT

TOOLS = ("sh", "sort", "head", "cut")  # what the Makefile's commands use, with no Python beside them
PRETENDING = """#!/bin/sh
[ "$1" = -c ] || exec {python} "$@"
exec {python} -c "import sys; sys.version_info = {version}; {more}
$2"
"""
WITHOUT_VENV = "sys.modules['ensurepip'] = None"  # as Debian's python3 is without python3-venv
SHIM = "#!/bin/sh\necho 'pyenv: command not found' >&2\nexit 127\n"

Python = Callable[..., Path]
Make = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A folder to be the whole PATH, and the project that make runs in."""
    (tmp_path / "pyproject.toml").touch()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found
        (tmp_path / tool).symlink_to(found)
    return tmp_path


@pytest.fixture
def python(path: Path) -> Python:
    """Puts a Python on the PATH that says it is of this version."""

    def put(name: str, *version: int, more: str = "") -> Path:
        text = PRETENDING.format(python=sys.executable, version=(*version, "final", 0), more=more)
        return script(path / name, text)

    return put


@pytest.fixture
def make(path: Path) -> Make:
    """Runs make with that PATH alone."""
    command = shutil.which("make")
    assert command

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if name not in ("PYTHON", "MAKEFLAGS", "MAKELEVEL")}
        return subprocess.run(
            [command, "--no-print-directory", "--file", str(ROOT / "Makefile"), *words],
            cwd=path,
            env={**environment, "PATH": str(path)},
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


def script(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_the_newest_that_has_venv_is_taken(path: Path, python: Python, make: Make) -> None:
    script(path / "python3.15", SHIM)  # pyenv's, of a version that is not active
    python("python3.14", 3, 14, 1, more=WITHOUT_VENV)
    newest = python("python3.13", 3, 13, 5)
    python("python3.11", 3, 11, 9)
    python("python3", 3, 11, 2)

    assert make("python").stdout == f"{newest}\n"


def test_python3_counts_by_its_version(python: Python, make: Make) -> None:
    python("python3.11", 3, 11, 9)
    newest = python("python3", 3, 16, 0)

    assert make("python").stdout == f"{newest}\n"


def test_python_names_another(python: Python, make: Make) -> None:
    python("python3.13", 3, 13, 5)
    older = python("python3.12", 3, 12, 1)

    assert make("python", "PYTHON=python3.12").stdout == f"{older}\n"
    assert make("python", f"PYTHON={older}").stdout == f"{older}\n"


@pytest.mark.parametrize("words", [(), ("PYTHON=python3",)])
def test_where_there_is_none_a_sentence_says_what_to_do(words: tuple[str, ...], python: Python, make: Make) -> None:
    python("python3", 3, 10, 12)
    for target in ("python", ".venv/installed"):
        ended = make(target, *words)

        assert ended.returncode != 0
        assert ended.stdout == ""
        sentence, *rest = ended.stderr.splitlines()
        assert sentence.startswith("c1m needs Python 3.11 or newer with venv, which none of these is: python3")
        assert sentence.endswith("(make PYTHON=/path/to/python3)")
        assert all(line.startswith("make: ***") for line in rest)


def test_before_an_installation_a_line_says_what_it_is(path: Path, make: Make) -> None:
    """pip is a script here, since the real one takes the time that the line tells of."""
    (path / ".venv" / "bin").mkdir(parents=True)
    for name in ("python", "pip"):
        script(path / ".venv" / "bin" / name, '#!/bin/sh\n[ "$1" = --version ] && echo Python 3.13.5 || echo "$@"\n')
    (path / "touch").symlink_to(str(shutil.which("touch")))

    said, *commands = make(".venv/installed", "--silent").stdout.splitlines()

    assert said == "installing c1m with its dependencies into .venv with Python 3.13.5 (.venv/bin/python): about 20 seconds"
    assert commands == ["-m pip install --quiet --editable ."]
