"""The file of --json: checked before the command starts, and written completely or not at all.

The text goes to a temporary file in the same directory, which is then renamed. Where a rename would replace something else
than a plain file of ours (a pipe, a device, /dev/stdout, a hard link, another user's file, a mount point), the text is written
in place.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from c1m.errors import C1mError, UsageError

STDOUT = "-"  # handled by output.publish, not here


def check_writable(json_file: str | None) -> None:
    """Raise UsageError if the file of --json cannot be written; None and "-" are always fine. Returns nothing.

    The check leaves no file behind.
    """
    if json_file is None or json_file == STDOUT:
        return
    try:
        try_to_write(Path(json_file))
    except OSError as error:
        raise UsageError(f"--json: cannot write {json_file}: {error.strerror}") from None


def write_whole(json_file: str, text: str) -> None:
    """Write a text to the file of --json, completely or not at all where a rename can do that. Returns nothing.

    Raises C1mError if that fails.
    """
    path = Path(json_file)
    try:
        if not (is_replaceable(path) and replaced(path.resolve(), text)):
            write_in_place(path, text)
    except OSError as error:
        raise C1mError(f"--json: could not write {json_file}: {error.strerror}") from None


def try_to_write(path: Path) -> None:
    """Raise OSError if the file at the path cannot be written. Returns nothing.

    Does not open a pipe: its reader would see end-of-file.
    """
    if is_replaceable(path):
        beside = beside_of(path.resolve())
        with beside.open("x"):
            beside.unlink()
    elif path.is_file():
        with path.open("a"):
            pass
    elif path.is_dir() or not os.access(path, os.W_OK):
        with path.open("w"):  # raises the OSError with the reason
            pass


def is_replaceable(path: Path) -> bool:
    """Return True if a rename may create or replace the path: it does not exist, or is a plain file with one name, ours."""
    try:
        there = path.stat()
    except FileNotFoundError:
        return True
    plain = stat.S_ISREG(there.st_mode) and there.st_nlink == 1 and there.st_uid == os.geteuid()
    return plain and our_output(there) is None and os.access(path.resolve().parent, os.W_OK)


def our_output(there: os.stat_result) -> int | None:
    """Return the descriptor (1 or 2) of our stdout or stderr if it is the given file, as /dev/stdout is; otherwise None."""
    return next((descriptor for descriptor in (1, 2) if os.path.samestat(there, os.fstat(descriptor))), None)


def write_in_place(path: Path, text: str) -> None:
    """Write a text to a file without a rename. Returns nothing. Raises OSError.

    Our stdout or stderr is duplicated: opened again, a file would be overwritten from its start.
    """
    descriptor = our_output(path.stat())
    with path.open("w") if descriptor is None else open(os.dup(descriptor), "w") as file:
        file.write(text)


def beside_of(path: Path) -> Path:
    """Return the path of the temporary file that is to replace the file at ``path``, in the same directory."""
    return path.with_name(f".{path.name}.{os.getpid()}")


def replaced(path: Path, text: str) -> bool:
    """Write a text to a temporary file and rename that over the path. Return True if that was done. Raises OSError.

    Returns False if the path is a mount point, as files in containers often are: nothing was written then.
    """
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
