"""The file of a Unix socket that a node listens on: its mode, and a file that may already exist.

gRPC binds and removes the file, and would also remove one on which another program listens. So the file is checked before,
with a lock on its directory: if two nodes start at once, the second one finds the first.
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

OTHERS = 0o177  # the umask that leaves 0600: write permission on the socket is permission to command the node


@contextmanager
def claimed(path: str) -> Iterator[None]:
    """Return a context in which a Unix socket can be bound at ``path``, accessible to its owner only.

    Raises UsageError with the cure if the path cannot be used. The umask applies to the whole process, so no other thread may
    create files meanwhile.
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
    """Return a context in which this process holds a lock on a directory.

    Raises UsageError if the directory cannot be opened.
    """
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
    """Remove the socket file that a killed node left at a path; do nothing if there is no file.

    Raises UsageError if a program listens on it, or the path is not a socket.
    """
    try:
        mode = os.lstat(path).st_mode
        if not stat.S_ISSOCK(mode):
            raise UsageError(f"cannot listen on unix:{path}: the path exists and is not a socket; give another --listen")
        if why := connect_error(path):
            if why.errno != errno.ECONNREFUSED:
                raise why
            os.unlink(path)
            return
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(instead(path, error)) from None
    raise UsageError(f"cannot listen on unix:{path}: another program already does; end it, or give another --listen")


def connect_error(path: str) -> OSError | None:
    """Return the OSError of connecting to the Unix socket at a path.

    None if a program listens on it, even if its queue is full.
    """
    with socket(AF_UNIX, SOCK_STREAM) as caller:
        caller.setblocking(False)
        try:
            caller.connect(path)
        except BlockingIOError:  # the listener's queue is full
            return None
        except OSError as error:
            return error
    return None


def check_bindable(path: str) -> None:
    """Raise UsageError with the cure if no Unix socket can be bound at a path: gRPC would not report what prevents it."""
    with socket(AF_UNIX, SOCK_STREAM) as one:
        try:
            one.bind(path)
        except OSError as error:
            raise UsageError(instead(path, error)) from None
    with suppress(FileNotFoundError):
        os.unlink(path)


def instead(path: str, error: OSError) -> str:
    """Return the message that a node cannot listen on a Unix socket's path because of an OSError, with the cure."""
    directory = Path(path).parent
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return f"cannot listen on unix:{path}: there is no directory {directory}; make it, or give another --listen"
    if error.errno in (errno.EACCES, errno.EPERM):
        return (
            f"cannot listen on unix:{path}: uid {os.geteuid()} may not create, call or remove a socket there; let it write to "
            f"{directory} (RuntimeDirectory= of a unit), or give another --listen"
        )
    return f"cannot listen on unix:{path}: {error.strerror}; give another --listen"
