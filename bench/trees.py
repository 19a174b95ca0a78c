"""The source trees that are compared: this checkout, and another commit extracted to a temporary directory.

Both are run by the same Python with the same dependencies. PYTHONPATH names the tree: it comes before site-packages and before
the finder of an editable installation, and ``python -P`` does not ignore it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from commands import BenchError, output_of

HERE = Path(__file__).resolve().parents[1]
PROGRAMS = ("coordinator", "worker", "target")
CODE = ("c1m", *PROGRAMS)

PROBE = """
import importlib, json, sys
for program in sys.argv[1:]:
    importlib.import_module(f"c1m.{program}.__main__")
ours = {name: module.__file__ for name, module in sys.modules.items() if name.split(".")[0] == "c1m"}
print(json.dumps({name: file for name, file in ours.items() if file}))
"""


@dataclass(frozen=True, slots=True)
class Tree:
    """A source tree. ``commit`` is abbreviated, None when it is unknown; ``dirty`` means that the code differs from it."""

    name: str
    root: Path
    commit: str | None
    dirty: bool = False

    @property
    def variables(self) -> dict[str, str]:
        """Environment variables with which Python imports c1m from this tree."""
        return {"PYTHONPATH": str(self.root)}


def this_tree(root: Path = HERE) -> Tree:
    """The checkout that this file is part of, with whatever is not committed."""
    try:
        return Tree("c1m", root, commit_of("HEAD", root), bool(git(root, "status", "--porcelain", "--", *CODE)))
    except BenchError:  # an sdist, or no git
        return Tree("c1m", root, None)


def commit_of(revision: str, root: Path = HERE) -> str:
    """The abbreviated name of a commit. Raises BenchError when git does not know the revision."""
    return git(root, "rev-parse", "--short", "--verify", f"{revision}^{{commit}}")


def tree_of(commit: str, directory: Path, root: Path = HERE) -> Tree:
    """Extract a commit below ``directory``. Raises BenchError."""
    there = directory / commit
    there.mkdir()
    archive = directory / f"{commit}.tar"
    git(root, "archive", "--output", str(archive), commit)  # unlike a worktree it leaves nothing in the repository
    output_of(["tar", "-xf", str(archive), "-C", str(there)], directory)
    archive.unlink()
    return Tree(f"c1m {commit}", there, commit)


def prepare(tree: Tree, directory: Path) -> None:
    """Compile a tree, so that no run does, and make sure that Python imports all of c1m from it and nowhere else.

    Raises BenchError, with the file, when it does not.
    """
    # compileall follows the links c1m/coordinator, c1m/worker and c1m/target only when they are named.
    folders = [tree.root / "c1m", *(tree.root / "c1m" / program for program in PROGRAMS)]
    output_of([sys.executable, "-m", "compileall", "-q", *map(str, folders)], directory)
    files = json.loads(output_of([sys.executable, "-P", "-c", PROBE, *PROGRAMS], directory, tree.variables))
    for module, file in files.items():
        if not Path(file).is_relative_to(tree.root):
            raise BenchError(f"{module} of {tree.name} was imported from {file}, not from {tree.root}")


def git(root: Path, *words: str) -> str:
    """The stripped output of a git command. Raises BenchError."""
    try:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, timeout=60, check=True)
    except subprocess.CalledProcessError as error:
        raise BenchError(f"git {' '.join(words)}: {error.stderr.strip()}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BenchError(f"git {' '.join(words)}: {error}") from None
    return done.stdout.strip()
