"""What strangers install: a wheel, made from the sdist, that holds the packages and nothing else, and runs by itself."""

from __future__ import annotations

import configparser
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from tree import ROOT

PROGRAMS = ("coordinator", "worker", "target")  # folders at the top, sub-packages once installed, links in c1m/
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist")


def run(*command: str, cwd: str | None = None, **more: str) -> str:
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100, env={**os.environ, **more}, cwd=cwd)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an sdist of a copy of this tree, and the wheel that was made from that sdist."""
    here = tmp_path_factory.mktemp("built")
    shutil.copytree(ROOT, here / "tree", symlinks=True, ignore=LEFT_OUT)
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(here / "dist"), str(here / "tree"))
    return here / "dist"


@pytest.fixture(scope="module")
def timer_wheel(built: Path) -> Path:
    (found,) = built.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(timer_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel alone, in a folder; what it depends on is this environment's."""
    folder = tmp_path_factory.mktemp("installed")
    quietly = ("--quiet", "--disable-pip-version-check", "--no-index", "--no-deps")
    run(sys.executable, "-m", "pip", "install", *quietly, "--target", str(folder), str(timer_wheel))
    return folder


def sources() -> set[str]:
    """Every file of the packages, by the name it has in a wheel."""
    names = set()
    for folder in ("c1m", *PROGRAMS):
        for path in (ROOT / folder).rglob("*"):
            name = path.relative_to(ROOT)
            linked = name.parts[0] == "c1m" and name.parts[1] in PROGRAMS
            if path.is_file() and not linked and "__pycache__" not in name.parts:
                names.add(f"{name}" if folder == "c1m" else f"c1m/{name}")
    return names


def test_the_wheel_holds_every_file_of_the_packages_and_nothing_else(timer_wheel: Path) -> None:
    with zipfile.ZipFile(timer_wheel) as opened:
        names = {name for name in opened.namelist() if ".dist-info/" not in name}
        links = [entry.filename for entry in opened.infolist() if stat.S_ISLNK(entry.external_attr >> 16)]

    assert names == sources()
    assert {"c1m/py.typed", "c1m/v1/worker_pb2.pyi", "c1m/coordinator/run/run.py"} <= names
    assert not links


def test_the_sdist_holds_no_links(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as opened:
        odd = [member.name for member in opened if not (member.isfile() or member.isdir())]

    assert not odd


def test_the_sdist_holds_what_machines_are_deployed_with(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as opened:
        names = {member.name.partition("/")[2] for member in opened if member.isfile()}

    assert {str(path.relative_to(ROOT)) for path in (ROOT / "deploy").rglob("*") if path.is_file()} <= names
    assert "deploy/sysctl.d/90-c1m.conf" in names


def test_three_commands_are_installed(timer_wheel: Path) -> None:
    scripts = configparser.ConfigParser()
    with zipfile.ZipFile(timer_wheel) as opened:
        (name,) = (name for name in opened.namelist() if name.endswith("/entry_points.txt"))
        scripts.read_string(opened.read(name).decode())

    assert scripts.sections() == ["console_scripts"]
    assert dict(scripts["console_scripts"]) == {
        "c1m-coord": "c1m.coordinator.__main__:main",
        "c1m-worker": "c1m.worker.__main__:main",
        "c1m-target": "c1m.target.__main__:main",
    }


@pytest.mark.parametrize("program", ["c1m-coord", "c1m-worker", "c1m-target"])
def test_an_installed_command_says_its_version(program: str, installed: Path, timer_wheel: Path) -> None:
    told = run(str(installed / "bin" / program), "--version", PYTHONPATH=str(installed))

    assert told == f"c1m {timer_wheel.name.split('-')[1]}\n"


@pytest.mark.parametrize("words", [("c1m-coord",), ("c1m-coord", "run"), ("c1m-worker",), ("c1m-target",)], ids=" ".join)
def test_an_installed_commands_help_ends_with_examples(words: tuple[str, ...], installed: Path) -> None:
    program, *rest = words
    told = run(str(installed / "bin" / program), *rest, "--help", PYTHONPATH=str(installed))

    _, found, examples = told.partition("Examples")
    assert found
    assert f" {program} " in examples


def test_what_runs_is_the_wheel(installed: Path) -> None:
    where = run(sys.executable, "-P", "-c", "import c1m.worker.cli as it; print(it.__file__)", PYTHONPATH=str(installed))

    assert Path(where.strip()) == installed / "c1m" / "worker" / "cli.py"


def test_the_editable_install_finds_every_module_of_the_tree() -> None:
    """In another directory, where nothing but the installation leads to the tree."""
    modules = [
        name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in sources() if name.endswith(".py")
    ]
    program = "import sys; from importlib.util import find_spec; print(*[name for name in sys.argv[1:] if not find_spec(name)])"

    assert run(sys.executable, "-P", "-c", program, *sorted(modules), cwd="/") == "\n"
