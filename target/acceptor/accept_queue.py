"""The accept queue of a listener, and when to look into it.

Some facts about accepting that shaped this code (measured; sources in docs/internals.md):

* Waking for every SYN costs the connecting CPU about 6 us a connection, a third of ``connect()``, and is worse the
  slower they come. So after a batch the acceptor takes its listener out of the epoll for some milliseconds, in which
  nobody wakes it and the queue (its backlog) collects the next batch. Data are echoed meanwhile.
* A full descriptor table makes ``accept()`` fail with EMFILE *before* it dequeues: nothing is lost, but a
  level-triggered epoll would report the listener for ever. A full acceptor therefore takes its listener out of the epoll,
  and puts it back when a connection has gone.
* With a listener shared by several acceptors, EPOLLEXCLUSIVE wakes one of them per connection, and must be removed and
  added, never modified (EINVAL).
"""

from __future__ import annotations

import errno
import os
import time
from _socket import socket
from select import EPOLLEXCLUSIVE, EPOLLIN, epoll

from c1m.kernel.tcp_info import LAST_DATA_RECEIVED, seconds_since
from c1m.measure.latency import Latencies
from c1m.measure.tally import FROM_ELSEWHERE, name_of

from .source_filter import SourceFilter

WORTHWHILE = 96  # connections that an acceptor stays away for; it learns how long that takes
SHORTEST_ABSENCE, LONGEST_ABSENCE = 0.001, 0.016  # seconds; the usual backlog of 4,096 then takes 256,000 SYN/s
CROWD = 512  # strangers that are closed in a row
SHORTAGE_SECONDS = 0.1  # how long accepting pauses when the host, not this process, is out of something

# Errors of accept() when this process or the host is out of descriptors or memory.
SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
# Errors of a connection that died in the queue; the queue goes on.
ALREADY_GONE = frozenset({errno.ECONNABORTED, errno.EPROTO, errno.EPERM})


class AcceptQueue:
    """The accept queue of one listener: accepts the connections that wait there in batches, and decides when to look again."""

    def __init__(self, listener: socket, epoll: epoll, *, shared: bool) -> None:
        """Create the queue of a listener. ``shared`` is whether other acceptors accept from the same listener."""
        self.listener = listener
        self.epoll = epoll
        self.interest = EPOLLIN | EPOLLEXCLUSIVE if shared else EPOLLIN
        self.listening = False
        self.absence = SHORTEST_ABSENCE
        self.resume_at = 0.0  # when accepting goes on, after a batch or a shortage; 0: now
        self.errors: dict[str, int] = {}
        self.accept_delay = Latencies()
        # typeshed does not know _socket's own accept, which makes no object of the descriptor
        self.accept = listener._accept  # type: ignore[attr-defined]
        self.guests: SourceFilter | None = None  # None: everybody

    def take_only(self, guests: SourceFilter) -> None:
        """Accept connections only from these addresses from now on.

        Connections from elsewhere are closed at once, and counted.
        """
        self.guests = guests
        self.accept = self.accept_guest

    def accept_guest(self) -> tuple[int, object]:
        """Return the descriptor and address of the next connection from an allowed address; close others.

        Raises BlockingIOError if none waits. After a crowd from elsewhere it raises that too, so that other work gets its turn.
        """
        assert self.guests is not None
        for _ in range(CROWD):
            descriptor, peer = self.listener._accept()  # type: ignore[attr-defined]
            if peer[0] in self.guests:
                return descriptor, peer
            os.close(descriptor)
            self.errors[FROM_ELSEWHERE] = self.errors.get(FROM_ELSEWHERE, 0) + 1
        raise BlockingIOError

    def listen(self) -> None:
        if not self.listening:
            self.epoll.register(self.listener.fileno(), self.interest)
            self.listening = True

    def quiesce(self) -> None:
        if self.listening:
            self.epoll.unregister(self.listener.fileno())
            self.listening = False

    def stay_away(self, accepted: int) -> None:
        """Stop accepting for a time in which a worthwhile batch should arrive, judged by ``accepted``, the size of the last
        batch.
        """
        if accepted and self.listening:
            factor = 2.0 if accepted < WORTHWHILE else 0.5
            self.absence = min(max(self.absence * factor, SHORTEST_ABSENCE), LONGEST_ABSENCE)
            self.resume_at = time.monotonic() + self.absence
            self.quiesce()

    def take(self, room: int) -> list[int]:
        """Accept up to ``room`` connections that wait in the queue, and return their descriptors."""
        accept = self.accept
        accepted: list[int] = []
        try:
            while len(accepted) < room:
                descriptor, _ = accept()
                accepted.append(descriptor)
        except BlockingIOError:
            pass
        except OSError as failure:
            self.accept_failed(failure)
        return accepted

    def measure_delay(self, descriptor: int) -> None:
        """Record how long the first connection of a batch, which waited longest, was established before it was accepted.

        It is taken from the time since data came last, which is too short only if the client has sent something already.
        """
        self.accept_delay.raw.append(seconds_since(LAST_DATA_RECEIVED, self.listener.family, descriptor))

    def accept_failed(self, failure: OSError) -> None:
        name = f"accept {name_of(failure.errno)}"
        self.errors[name] = self.errors.get(name, 0) + 1
        if failure.errno in SHORTAGES:
            self.quiesce()
            self.resume_at = time.monotonic() + SHORTAGE_SECONDS
        elif failure.errno not in ALREADY_GONE:
            raise failure

    def close(self) -> None:
        self.quiesce()
        self.listener.close()
