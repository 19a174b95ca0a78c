"""The file that --json names: found writable before anything is done, and there as a whole or not at all.

A file is written beside its place and renamed there. What a rename would not fill but replace (a pipe, a device, /dev/stdout,
a file with another name or of somebody else, one that is mounted by itself) is written where it is.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from c1m.errors import C1mError, UsageError

STDOUT = "-"  # alone, and not by this module


def check_writable(json_file: str | None) -> None:
    """Before the run, not after it; nothing of it stays. Raises UsageError."""
    if json_file is None or json_file == STDOUT:
        return
    try:
        try_to_write(Path(json_file))
    except OSError as error:
        raise UsageError(f"--json: cannot write {json_file}: {error.strerror}") from None


def write_whole(json_file: str, text: str) -> None:
    """Raises C1mError when it cannot be written any more."""
    path = Path(json_file)
    try:
        if not (is_replaceable(path) and replaced(path.resolve(), text)):
            write_in_place(path, text)
    except OSError as error:
        raise C1mError(f"--json: could not write {json_file}: {error.strerror}") from None


def try_to_write(path: Path) -> None:
    """Raises OSError. Not by opening a pipe: whoever reads it would see it end."""
    if is_replaceable(path):
        beside = beside_of(path.resolve())
        with beside.open("x"):
            beside.unlink()
    elif path.is_file():
        with path.open("a"):
            pass
    elif path.is_dir() or not os.access(path, os.W_OK):
        with path.open("w"):  # which says why not
            pass


def is_replaceable(path: Path) -> bool:
    """Whether nothing is there yet, or a plain file that is the same under whatever inode."""
    try:
        there = path.stat()
    except FileNotFoundError:
        return True
    plain = stat.S_ISREG(there.st_mode) and there.st_nlink == 1 and there.st_uid == os.geteuid()
    return plain and our_output(there) is None and os.access(path.resolve().parent, os.W_OK)


def our_output(there: os.stat_result) -> int | None:
    """The descriptor by which we have it already, as /dev/stdout."""
    return next((descriptor for descriptor in (1, 2) if os.path.samestat(there, os.fstat(descriptor))), None)


def write_in_place(path: Path, text: str) -> None:
    """Our own output where it is by now: opened once more, it would begin at its beginning."""
    descriptor = our_output(path.stat())
    with path.open("w") if descriptor is None else open(os.dup(descriptor), "w") as file:
        file.write(text)


def beside_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}")


def replaced(path: Path, text: str) -> bool:
    """Not where the file is mounted by itself, as containers have them. Raises OSError."""
    beside = beside_of(path)
    try:
        with beside.open("x") as file:
            if path.exists():
                os.fchmod(file.fileno(), stat.S_IMODE(path.stat().st_mode))
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        return False
    finally:
        beside.unlink(missing_ok=True)
    return True
