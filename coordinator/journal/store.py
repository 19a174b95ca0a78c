"""The shelf: the directory in which journals stand, one file a run, and how long they stay there."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from c1m.app.state_directory import state_directory
from c1m.errors import UsageError
from c1m.text.units import format_bytes

from .journal import files_of, is_written, remove

SUFFIX = ".journal"
# What stays where nobody named a directory; a run of 100 nodes takes 0.5 GB an hour.
KEEP_RUNS = 100
KEEP_BYTES = 4e9


@dataclass(frozen=True, slots=True)
class JournalStore:
    directory: Path
    named: bool = False  # by a person, who decides what goes

    def path_of(self, run_id: str) -> Path:
        return self.directory / f"{run_id}{SUFFIX}"

    def journals(self) -> list[Path]:
        """The newest first: ids begin with the time. Raises UsageError where the directory cannot be read."""
        try:
            return sorted((path for path in self.directory.iterdir() if path.suffix == SUFFIX), reverse=True)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise UsageError(f"cannot read {self.directory}: {error.strerror}; name another place with --journal DIR") from None

    def find(self, prefix: str) -> Path:
        """The one run whose id begins so; empty: the newest. Raises UsageError where there is none, or more than one."""
        there = self.journals()
        if not there:
            raise UsageError(f"no run has left a journal in {self.directory}; name another place with --journal DIR")
        found = [path for path in there if path.stem.startswith(prefix)] if prefix else there[:1]
        if not found:
            raise UsageError(f"no run in {self.directory} begins with {prefix!r}; c1m-coord runs lists them")
        if len(found) > 1 and prefix not in {path.stem for path in found}:
            names = ", ".join(path.stem for path in found[:3]) + (" ..." if len(found) > 3 else "")
            raise UsageError(f"{prefix!r} begins {len(found)} runs, {names}; write more of the one that you mean")
        return next((path for path in found if path.stem == prefix), found[0])

    def delete(self, path: Path) -> None:
        """Raises UsageError while it is written."""
        if is_written(path):
            raise UsageError(f"run {path.stem} goes on, and its journal is being written; end the run first")
        remove(path)

    def keep(self, runs: int, size: float = float("inf")) -> list[Path]:
        """Delete all but the newest so many, and so many bytes of them; which were deleted. What is being written stays."""
        total, gone = 0, []
        for index, path in enumerate(self.journals()):
            total += bytes_of(path)
            if (index >= runs or total > size) and index and not is_written(path):
                remove(path)
                gone.append(path)
        return gone

    def tidy(self) -> str:
        """Before a run, where nobody named the directory; what there is to tell about it."""
        if self.named:
            return ""
        gone = self.keep(KEEP_RUNS - 1, KEEP_BYTES)
        limits = f"{KEEP_RUNS} runs and {format_bytes(KEEP_BYTES)} are kept"
        return f"deleted {len(gone)} of the oldest journals in {self.directory}: {limits}" if gone else ""


def bytes_of(path: Path) -> int:
    """With what lies beside it."""
    total = 0
    for each in files_of(path):
        with suppress(FileNotFoundError):  # not there now; its log goes when it is ended
            total += each.stat().st_size
    return total


def shelf_of(named: Path | None) -> JournalStore:
    """As named, else c1m's place among the user's state. Raises UsageError for a name that is no directory."""
    if named is None:
        return JournalStore(state_directory())
    if named.exists() and not named.is_dir():
        raise UsageError(f"--journal: {named} is no directory; journals are files in one")
    return JournalStore(named, named=True)


def stems(paths: Sequence[Path]) -> str:
    return ", ".join(path.stem for path in paths)
