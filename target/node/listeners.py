"""Listening sockets: the control process makes them, and hands them to acceptors."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from struct import pack

from c1m.errors import RefusedError
from c1m.measure.phase import Close
from c1m.net.ports import PortRanges

# The kernel cuts it to net.core.somaxconn, 4,096 by default. Too short a queue makes ghosts: connections that the
# client considers established, while the server has no socket for them.
BACKLOG = 65_535
RESET_ON_CLOSE = pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Bind:
    """The address and ports on which a target listens."""

    host: str  # an address of this machine, or a wildcard
    ports: PortRanges
    single_port: bool

    @property
    def family(self) -> int:
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET


def open_listeners(bind: Bind, count: int, close: Close) -> list[socket.socket]:
    """Return ``count`` listening sockets on the first free ports, or one shared by all acceptors.

    Raises RefusedError when there are not enough ports.
    """
    wanted = 1 if bind.single_port else count
    made: list[socket.socket] = []
    for listener in usable(bind, close):
        made.append(listener)
        if len(made) == wanted:
            return made
    for listener in made:
        listener.close()
    raise RefusedError(
        f"needs {wanted} free ports on {bind.host} and has {len(made)} among {bind.ports}; give more with --ports"
    )


def usable(bind: Bind, close: Close) -> Iterator[socket.socket]:
    """Yield a listening socket on each port of a target that is not in use."""
    for index in range(bind.ports.size):
        listener = open_listener(bind, bind.ports.at(index), close)
        if listener is not None:
            yield listener


def open_listener(bind: Bind, port: int, close: Close) -> socket.socket | None:
    """Return a socket that listens on a port; None when the port is in use.

    Raises RefusedError when the address cannot be bound at all.
    """
    listener = socket.socket(bind.family, socket.SOCK_STREAM)
    try:
        # Without it the TIME_WAIT of a run that closed with FINs would hold the port for a minute.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if bind.family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.setsockopt(socket.IPPROTO_IPV6, getattr(socket, "IPV6_FREEBIND", 78), 1)
        if close is Close.RESET:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        listener.bind((bind.host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            return None
        raise RefusedError(
            f"cannot listen on {bind.host} port {port}: {error.strerror}; give an address of this machine with --bind"
        ) from None
    return listener
