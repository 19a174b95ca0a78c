"""The address of a node's control server: HOST:PORT, or unix:/PATH on this machine. Pure."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from .endpoints import HostPort, parse_host_port

SCHEME: Final = "unix:"
LONGEST_PATH: Final = 107  # bytes; struct sockaddr_un has 108, including the NUL
PATH_FORMS: Final = "write unix:/run/c1m/worker.sock"


@dataclass(frozen=True, slots=True)
class SocketPath:
    """A Unix socket by its absolute path. It has no TLS: the file's mode determines who may connect."""

    path: str

    @property
    def uri(self) -> str:
        """The address of a Unix socket in gRPC's notation, in which a percent sign starts an escape."""
        return f"{SCHEME}{quote(self.path)}"

    def bound(self, _port: int) -> SocketPath:
        """Return the address of a listening Unix socket, unchanged: it has no port to fill in."""
        return self

    def __str__(self) -> str:
        return f"{SCHEME}{self.path}"


ControlAddress = HostPort | SocketPath


def parse_control_address(text: str, default_port: int, *, allow_zero: bool = False) -> ControlAddress:
    """Return the control address in a text: a Unix socket, such as "unix:/run/c1m/worker.sock", or a host and port as
    ``parse_host_port`` accepts them. Raises ValueError for any other text.
    """
    bare = text.strip()
    if bare.startswith(SCHEME):
        return SocketPath(_path(bare.removeprefix(SCHEME), text))
    return parse_host_port(text, default_port, allow_zero=allow_zero)


def _path(written: str, text: str) -> str:
    # URIs write "unix:///run/a".
    path = written.removeprefix("//") if written.startswith("///") else written
    if not path.startswith("/") or path.endswith("/"):
        raise ValueError(f"{text!r} has no absolute path of a socket after unix:; {PATH_FORMS}")
    if not path.isprintable():
        raise ValueError(f"{text!r} has unprintable characters in its path; {PATH_FORMS}")
    if (length := len(os.fsencode(path))) > LONGEST_PATH:
        raise ValueError(f"{text!r} has a path of {length:,} bytes, and a socket's has at most {LONGEST_PATH}; shorten it")
    return path
