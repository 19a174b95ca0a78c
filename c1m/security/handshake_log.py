"""Logs why a TLS handshake with a node failed.

gRPC does not report this to the program: the peer sees a closed socket and the node sees nothing. gRPC's core logs the
reason at level INFO on descriptor 2 of the process. So the control processes of nodes set that level (in __main__ of the
two programs, before gRPC is imported, because it is read then), and replace descriptor 2 by a pipe. Core lines about
handshakes become sentences, other core lines are dropped, and everything else goes to the original stderr. The core's lines
do not name the peer. If the core aborts the process, its last lines are lost with the pipe.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from c1m.app.log import log

FAILED = re.compile(r"Handshake failed with error \w+: (?P<reason>.*)")
NAMED = re.compile(r"No match found for server name: (?P<host>\S+)")
LOGGED = re.compile(r"[IWEF]\d{4} ")  # the beginning of a line of the core
DROPPED = ("I", "W", "E")  # levels; other errors of the core also arrive as exceptions
QUIET_SECONDS = 1.0  # a sentence is not repeated within this time: a refused coordinator calls again to find out why

REASONS = (
    ("certificate has expired", "its certificate has expired; renew it with c1m-coord pki renew"),
    ("certificate is not yet valid", "its certificate is not valid yet; set the clocks of both machines"),
    ("issuer certificate", "its certificate is from an authority that this node does not trust"),
    ("self-signed", "its certificate is from an authority that this node does not trust"),
    ("PEER_DID_NOT_RETURN_A_CERTIFICATE", "it sent no certificate; give it one with --tls"),
    ("WRONG_VERSION_NUMBER", "it called without TLS; give it --tls"),
    ("HTTP_REQUEST", "it called without TLS; give it --tls"),
    ("ALERT_UNKNOWN_CA", "it does not trust the authority of this node's certificate"),
    # In TLS 1.3, BoringSSL reports this for the alert of an OpenSSL client that rejects the certificate.
    ("BAD_PACKET_LENGTH", "it rejected this node's certificate: it does not trust it, or called a name that is not in it"),
)


def sentence_of(line: str) -> str | None:
    """Return the sentence to log for a line that gRPC's core wrote to stderr.

    Empty if nothing is to be logged; None if the core did not write the line.
    """
    if not LOGGED.match(line):
        return None
    if found := FAILED.search(line):
        reason = found["reason"]
        why = next((words for key, words in REASONS if key in reason), f"the TLS handshake failed: {reason}")
        return f"refused a peer: {why}"
    if found := NAMED.search(line):
        return f"a peer called this node {found['host']}, a name that is not in its certificate"
    return "" if line.startswith(DROPPED) else None


@contextmanager
def handshakes_logged(name: str) -> Iterator[None]:
    """Return a context in which failed TLS handshakes of this process are logged. Python's own stderr is not affected."""
    kept, out = os.dup(2), sys.stderr
    reading, writing = os.pipe()
    os.dup2(writing, 2)
    os.close(writing)
    sys.stderr = open(os.dup(kept), "w", buffering=1, errors="backslashreplace")  # noqa: SIM115
    thread = threading.Thread(target=log_lines, args=(name, reading), daemon=True)
    thread.start()
    try:
        yield
    finally:
        os.dup2(kept, 2)  # closes the last writer of the pipe, which ends the thread
        thread.join()
        os.close(kept)
        with suppress(OSError):  # the reader of the original stderr is gone, and unwritten text is lost
            sys.stderr.close()
        sys.stderr = out


def log_lines(name: str, reading: int) -> None:
    """Log the lines that arrive on the pipe ``reading``, those of gRPC's core as sentences, until its last writer closes it."""
    quiet_until: dict[str, float] = {}
    with open(reading, errors="replace") as lines:
        for line in lines:
            sentence = sentence_of(line)
            if sentence is None:
                log(line.rstrip("\n"))
            elif sentence and time.monotonic() > quiet_until.get(sentence, 0.0):
                quiet_until[sentence] = time.monotonic() + QUIET_SECONDS
                log(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {name}: {sentence}")
