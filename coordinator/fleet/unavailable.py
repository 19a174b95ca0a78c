"""Why gRPC could not reach a node, as an error with a sentence. What gRPC's core wrote is read here and never shown.

The core quotes the errno of the call that failed, as in "recvmsg:Connection reset by peer (104)".
"""

from __future__ import annotations

import errno
import os
import re
from typing import Final

from c1m.errors import BrokenError, GoneError, UnreachableError

# Nothing listens at the port, or there is no Unix socket.
NO_LISTENER: Final = (os.strerror(errno.ECONNREFUSED), os.strerror(errno.ENOENT))
CLOSED: Final = (os.strerror(errno.ECONNRESET), os.strerror(errno.EPIPE), "Socket closed", "Transport closed", "GOAWAY", "EOF")
NO_WAY: Final = tuple(map(os.strerror, (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES, errno.EPERM, errno.EINVAL)))
SILENT: Final = (os.strerror(errno.ETIMEDOUT), "ping timeout", "watchdog timeout", "FD Shutdown", "Timeout")
HANDSHAKE: Final = ("TSI_", "handshake failed", "handshaker")
NO_NAME: Final = ("DNS resolution failed", "Domain name not found")
OUR_SENTENCE: Final = "the node is shutting down"  # c1m/node/rpc_server.py

QUOTED: Final = re.compile(r"(?:failed to connect|Failed to connect|Stream removed|UNKNOWN:|ipv[46]:|recvmsg|sendmsg)")

NOT_STARTED: Final = "is not started: nothing listens there ({reason}); start it, or correct its address"
ENDED: Final = (
    "has ended: it was running, and now nothing listens there ({reason}), so its process was killed or left; its log or the "
    "kernel's (dmesg, for the OOM killer) says why; start it again"
)


def unreachable(name: str, details: str, *, first: bool = False) -> UnreachableError:
    """Return the error for gRPC's UNAVAILABLE. ``details``: gRPC's text. ``first``: whether the node was never reached."""
    if reason := named(NO_LISTENER, details):
        return GoneError(f"{name} {(NOT_STARTED if first else ENDED).format(reason=reason)}")
    return BrokenError(f"{name} {broken(details)}")


def broken(details: str) -> str:
    """Return why a connection failed, as the part of a sentence that follows the node's name."""
    if OUR_SENTENCE in details:
        return "is shutting down; start it again"
    if named(NO_NAME, details):
        return "is unreachable: its name has no address; correct the name, or write an address"
    if named(HANDSHAKE, details):
        return "ended the TLS handshake; its log may say why"
    if reason := named(NO_WAY, details):
        return f"is unreachable ({reason}); is its machine on, and do the routes and firewalls on both let the call through?"
    if named(SILENT, details):
        return "is silent; is it stopped, its machine overloaded or off, or the network between cut?"
    if named(CLOSED, details):
        return "closed the connection; has its process ended, or does another program listen there?"
    if QUOTED.search(details):
        return "is unreachable; is it started, and its port open?"
    return f"is unreachable ({details}); is it started, and its port open?"


def named(texts: tuple[str, ...], details: str) -> str:
    """Return the first of the texts that gRPC's details contain; empty when they contain none."""
    return next((text for text in texts if text in details), "")
