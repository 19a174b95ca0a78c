"""What servers say: read to the end, counted, the first words kept, and handed on to whoever waits for it."""

from __future__ import annotations

import os
from array import array
from collections.abc import Sequence
from select import EPOLLERR, EPOLLHUP, EPOLLRDHUP

from c1m.latency import Latencies
from c1m.tally import PEER_CLOSED, cause_of

from .behaviour import Behaviour

ENDING = EPOLLRDHUP | EPOLLERR | EPOLLHUP
CHUNK = 16 * 1024  # bytes read at a time
HEARD_BYTES = 200


class Reader:
    """``called`` is when each descriptor's connect was called."""

    def __init__(self, called: array[float]) -> None:
        self.called = called
        self.behaviours: Sequence[Behaviour] = ()
        self.spoken = bytearray(len(called))  # by descriptor; no memory before somebody speaks: the kernel's zero page
        self.first_byte = Latencies()  # from the call of connect() to the first byte
        self.bytes_received = 0
        self.heard = b""  # the first that any server said: one that drops everybody often says why

    def read(self, descriptor: int, events: int, now: float) -> str:
        """Take what came. Why the connection has ended; empty when it has not.

        An edge is reported once, so everything must be read; but a read that is short was the last, as long as the
        peer's end has not come: that spares a second call, and an exception, for each answer (epoll(7)).
        """
        try:
            while data := os.read(descriptor, CHUNK):
                self.bytes_received += len(data)
                if not self.spoken[descriptor]:
                    self.first(descriptor, data, now)
                for behaviour in self.behaviours:
                    behaviour.heard(descriptor, data, now)
                if len(data) < CHUNK and not events & ENDING:
                    return ""
        except BlockingIOError:
            return ""
        except OSError as failure:
            return cause_of(failure)
        return PEER_CLOSED

    def first(self, descriptor: int, data: bytes, now: float) -> None:
        self.spoken[descriptor] = True
        self.first_byte.raw.append(now - self.called[descriptor])
        self.heard = self.heard or data[:HEARD_BYTES]

    def forget(self, descriptor: int) -> None:
        if self.spoken[descriptor]:
            self.spoken[descriptor] = False
