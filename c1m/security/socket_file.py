"""The file of a Unix socket that a node listens on: its mode, and what may already be there.

gRPC binds and removes it, and would take one away on which somebody listens. So it is looked at before, under a lock of its
directory, so that of two nodes that start at once the second one finds the first.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import AF_UNIX, SOCK_STREAM, socket

from c1m.errors import UsageError

OTHERS = 0o177  # the umask that leaves 0600: whoever may write to a socket may command


@contextmanager
def claimed(path: str) -> Iterator[None]:
    """While the block binds it, which makes it the owner's alone. Raises UsageError where that cannot be, with the cure.

    The umask is the whole process's: no other thread makes files meanwhile.
    """
    with locked(Path(path).parent, path):
        remove_stale(path)
        check_bindable(path)
        before = os.umask(OTHERS)
        try:
            yield
        finally:
            os.umask(before)


@contextmanager
def locked(directory: Path, path: str) -> Iterator[None]:
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise UsageError(instead(path, error)) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def remove_stale(path: str) -> None:
    """The socket of a node that was killed. Raises UsageError for one on which somebody listens, and for what is no socket."""
    try:
        mode = os.lstat(path).st_mode
        if not stat.S_ISSOCK(mode):
            raise UsageError(f"cannot listen on unix:{path}: there is something else that is no socket; give another --listen")
        if why := nobody(path):
            if why.errno != errno.ECONNREFUSED:
                raise why
            os.unlink(path)
            return
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(instead(path, error)) from None
    raise UsageError(f"cannot listen on unix:{path}: another program does already; end it, or give another --listen")


def nobody(path: str) -> OSError | None:
    """Why nobody can be called there; None where somebody listens, however busy."""
    with socket(AF_UNIX, SOCK_STREAM) as caller:
        caller.setblocking(False)
        try:
            caller.connect(path)
        except BlockingIOError:  # its queue is full
            return None
        except OSError as error:
            return error
    return None


def check_bindable(path: str) -> None:
    """By doing it: gRPC would not say what is in the way. Raises UsageError."""
    with socket(AF_UNIX, SOCK_STREAM) as one:
        try:
            one.bind(path)
        except OSError as error:
            raise UsageError(instead(path, error)) from None
    with suppress(FileNotFoundError):
        os.unlink(path)


def instead(path: str, error: OSError) -> str:
    directory = Path(path).parent
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return f"cannot listen on unix:{path}: there is no directory {directory}; make it, or give another --listen"
    if error.errno in (errno.EACCES, errno.EPERM):
        return (
            f"cannot listen on unix:{path}: uid {os.geteuid()} may not make, call or remove a socket there; let it write to "
            f"{directory} (RuntimeDirectory= of a unit), or give another --listen"
        )
    return f"cannot listen on unix:{path}: {error.strerror}; give another --listen"
