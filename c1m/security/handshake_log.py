"""Why a TLS handshake with a node failed, for its log.

gRPC tells the program nothing of it: the peer finds a closed socket, the node notices nothing at all. Its core says why in
log lines of its own, at INFO, on descriptor 2 of the process. So control processes of nodes start with that level (__main__
of the two programs sets it before gRPC is imported, which is when it is read), and descriptor 2 becomes a pipe, whose lines
of that kind are made into sentences; the core's others are dropped, and all else goes on to where stderr went. What the core
says does not name the peer. Last words of a core that aborts at that moment are lost with the pipe.
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
LOGGED = re.compile(r"[IWEF]\d{4} ")  # how a line of the core begins
DROPPED = ("I", "W", "E")  # its other errors reach us as exceptions
QUIET_SECONDS = 1.0  # in which the same sentence is not said again: a coordinator that was refused tries to find out why

REASONS = (
    ("certificate has expired", "its certificate has expired; renew it with c1m-coord pki renew"),
    ("certificate is not yet valid", "its certificate is not valid yet; set the clocks of both machines"),
    ("issuer certificate", "its certificate is of an authority that this node does not trust"),
    ("self-signed", "its certificate is of an authority that this node does not trust"),
    ("PEER_DID_NOT_RETURN_A_CERTIFICATE", "it showed no certificate; give it one with --tls"),
    ("WRONG_VERSION_NUMBER", "it spoke without TLS; give it --tls"),
    ("HTTP_REQUEST", "it spoke without TLS; give it --tls"),
    ("ALERT_UNKNOWN_CA", "it does not trust the authority of this node's certificate"),
    # What BoringSSL makes of OpenSSL's alert in TLS 1.3, where that does not take the certificate.
    ("BAD_PACKET_LENGTH", "it broke off, as one does that does not trust this node's certificate, or finds no such name in it"),
)


def sentence_of(line: str) -> str | None:
    """What a line of the core means for the log; None: it is none of its lines. Empty: nothing."""
    if not LOGGED.match(line):
        return None
    if found := FAILED.search(line):
        reason = found["reason"]
        why = next((words for key, words in REASONS if key in reason), f"the TLS handshake failed: {reason}")
        return f"refused a peer: {why}"
    if found := NAMED.search(line):
        return f"a peer called this node {found['host']}, a name that its certificate has not"
    return "" if line.startswith(DROPPED) else None


@contextmanager
def told(name: str) -> Iterator[None]:
    """While the block lasts. Python's own stderr goes on as it was."""
    kept, out = os.dup(2), sys.stderr
    reading, writing = os.pipe()
    os.dup2(writing, 2)
    os.close(writing)
    sys.stderr = open(os.dup(kept), "w", buffering=1, errors="backslashreplace")  # noqa: SIM115
    thread = threading.Thread(target=tell, args=(name, reading), daemon=True)
    thread.start()
    try:
        yield
    finally:
        os.dup2(kept, 2)  # the last of the pipe's writers, which ends the thread
        thread.join()
        os.close(kept)
        with suppress(OSError):  # what it had not written yet goes with whoever would have read it
            sys.stderr.close()
        sys.stderr = out


def tell(name: str, reading: int) -> None:
    said: dict[str, float] = {}
    with open(reading, errors="replace") as lines:
        for line in lines:
            sentence = sentence_of(line)
            if sentence is None:
                log(line.rstrip("\n"))
            elif sentence and time.monotonic() > said.get(sentence, 0.0):
                said[sentence] = time.monotonic() + QUIET_SECONDS
                log(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {name}: {sentence}")
