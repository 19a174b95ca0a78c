"""Where a node's control is: HOST:PORT, or unix:/PATH of this machine. Pure."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from .endpoints import HostPort, parse_host_port

SCHEME: Final = "unix:"
LONGEST_PATH: Final = 107  # bytes; struct sockaddr_un has 108, with the NUL
PATH_FORMS: Final = "write unix:/run/c1m/worker.sock"


@dataclass(frozen=True, slots=True)
class SocketPath:
    """A Unix socket, by its absolute path. There is no TLS on it: its mode says who may call."""

    path: str

    @property
    def uri(self) -> str:
        """As gRPC takes it, for which a percent sign begins an escape."""
        return f"{SCHEME}{quote(self.path)}"

    def bound(self, _port: int) -> SocketPath:
        """Itself, wherever it listens."""
        return self

    def __str__(self) -> str:
        return f"{SCHEME}{self.path}"


ControlAddress = HostPort | SocketPath


def parse_control_address(text: str, default_port: int, *, allow_zero: bool = False) -> ControlAddress:
    """From "unix:/run/c1m/worker.sock", or as ``parse_host_port`` reads it. Raises ValueError."""
    bare = text.strip()
    if bare.startswith(SCHEME):
        return SocketPath(_path(bare.removeprefix(SCHEME), text))
    return parse_host_port(text, default_port, allow_zero=allow_zero)


def _path(written: str, text: str) -> str:
    # "unix:///run/a" is how URIs write it.
    path = written.removeprefix("//") if written.startswith("///") else written
    if not path.startswith("/") or path.endswith("/"):
        raise ValueError(f"{text!r} has no absolute path of a socket after unix:; {PATH_FORMS}")
    if not path.isprintable():
        raise ValueError(f"{text!r} has characters that nobody can read in its path; {PATH_FORMS}")
    if (length := len(os.fsencode(path))) > LONGEST_PATH:
        raise ValueError(f"{text!r} is a path of {length:,} bytes, and a socket takes {LONGEST_PATH}; give a shorter one")
    return path
