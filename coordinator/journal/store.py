"""The journal store: a directory with one journal for each run, and how many of them are kept."""

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
# What is kept in the default directory; a run of 100 nodes takes 0.5 GB an hour.
KEEP_RUNS = 100
KEEP_BYTES = 4e9


@dataclass(frozen=True, slots=True)
class JournalStore:
    """A directory that holds one journal file for each run."""

    directory: Path
    named: bool = False  # the user named it, and decides what is deleted

    def path_of(self, run_id: str) -> Path:
        """Return the path at which the journal of the run ``run_id`` is stored, whether it exists or not."""
        return self.directory / f"{run_id}{SUFFIX}"

    def journals(self) -> list[Path]:
        """Return the paths of all journals in the directory, the newest first: run ids begin with the time.

        Raises UsageError if the directory cannot be listed.
        """
        try:
            return sorted((path for path in self.directory.iterdir() if path.suffix == SUFFIX), reverse=True)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise UsageError(
                f"cannot read {self.directory}: {error.strerror}; name another directory with --journal DIR"
            ) from None

    def find(self, prefix: str) -> Path:
        """Return the path of the journal of the run whose id begins with ``prefix``; empty: the newest run.

        Raises UsageError if no run or several runs match.
        """
        there = self.journals()
        if not there:
            raise UsageError(f"there are no journals in {self.directory}; name another directory with --journal DIR")
        found = [path for path in there if path.stem.startswith(prefix)] if prefix else there[:1]
        if not found:
            raise UsageError(f"{prefix!r} matches no run in {self.directory}; c1m-coord runs lists them")
        if len(found) > 1 and prefix not in {path.stem for path in found}:
            names = ", ".join(path.stem for path in found[:3]) + (" ..." if len(found) > 3 else "")
            raise UsageError(f"{prefix!r} matches {len(found)} runs ({names}); give more characters")
        return next((path for path in found if path.stem == prefix), found[0])

    def delete(self, path: Path) -> None:
        """Delete the journal at ``path``. Raises UsageError while its run is still being recorded."""
        if is_written(path):
            raise UsageError(f"run {path.stem} is still going on, and its journal is being written; end the run first")
        remove(path)

    def keep(self, runs: int, size: float = float("inf")) -> list[Path]:
        """Delete all but the newest ``runs`` journals, and of those all beyond ``size`` bytes; return the deleted paths.

        The newest journal and those that are being written are kept.
        """
        total, gone = 0, []
        for index, path in enumerate(self.journals()):
            total += bytes_of(path)
            if (index >= runs or total > size) and index and not is_written(path):
                remove(path)
                gone.append(path)
        return gone

    def tidy(self) -> str:
        """Delete the oldest journals if the default directory has too many or too large ones, to make room for a run.

        Returns a sentence for the user if any were deleted; else, and for a directory that the user named, an empty string.
        """
        if self.named:
            return ""
        gone = self.keep(KEEP_RUNS - 1, KEEP_BYTES)
        limits = f"at most {KEEP_RUNS} runs and {format_bytes(KEEP_BYTES)} are kept"
        return f"deleted the {len(gone)} oldest journals in {self.directory}: {limits}" if gone else ""


def bytes_of(path: Path) -> int:
    """Return the size of a journal on disk in bytes, with its write-ahead log."""
    total = 0
    for each in files_of(path):
        with suppress(FileNotFoundError):  # the log is deleted when the journal is closed
            total += each.stat().st_size
    return total


def shelf_of(named: Path | None) -> JournalStore:
    """Return the journal store in the directory ``named``; None: the default one in the user's state directory.

    Raises UsageError if it is not a directory, may not be looked up, or if the user has no state directory.
    """
    if named is None:
        return JournalStore(state_directory())
    try:
        if named.exists() and not named.is_dir():
            raise UsageError(f"--journal: {named} is not a directory; journals are files in a directory")
    except OSError as error:  # of a directory on the way to it
        raise UsageError(f"--journal: cannot use {named}: {error.strerror}; name another directory") from None
    return JournalStore(named, named=True)


def stems(paths: Sequence[Path]) -> str:
    """Return the run ids of the journals at the given paths, separated by commas."""
    return ", ".join(path.stem for path in paths)
