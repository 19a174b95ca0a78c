"""Receiving: reads what servers send to the end, counts it, keeps the first bytes, and hands it to the behaviour that waits
for it.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import repeat
from os import read
from select import EPOLLERR, EPOLLHUP, EPOLLRDHUP

from c1m.measure.tally import PEER_CLOSED, cause_of

from .behaviour import Behaviour
from .source_latencies import SourceLatencies, SourceNumbers

ENDING = EPOLLRDHUP | EPOLLERR | EPOLLHUP
# Bytes of the first read, and of those after it. Up to some 450 the interpreter takes memory from its own pools, which is
# 1 to 2 us cheaper than malloc() and giving most of it back.
SHORT, LONG = 256, 64 * 1024
HEARD_BYTES = 200

Hearing = Callable[[Sequence[int], Sequence[bytes], float], None]


class Receiver:
    """Reads and counts what servers send to a shard's connections.

    ``called`` is when each descriptor's connect was called, in monotonic seconds.
    """

    def __init__(self, called: array[float], sources: SourceNumbers) -> None:
        self.called = called
        self.hearing: Sequence[Hearing] = ()
        self.spoken = bytearray(len(called))  # by descriptor; takes no memory until a server sends: the kernel's zero page
        self.first_byte = SourceLatencies(sources)  # from the call of connect() to the first byte
        self.bytes_received = 0
        self.heard = b""  # the first bytes that any server sent: a server that drops connections often says why

    def hand_to(self, behaviours: Sequence[Behaviour]) -> None:
        self.hearing = [getattr(behaviour, "heard_all", None) or one_by_one(behaviour) for behaviour in behaviours]

    def read_all(self, descriptors: Sequence[int], now: float) -> Iterator[tuple[int, str]]:
        """Read what arrived on many connections, and yield the descriptors of those that have ended, with the cause.

        All are read first and examined then, both in loops of the interpreter's own C code: between two system calls almost
        nothing has to be fetched into the processor's cache again.
        """
        said: list[bytes] = []
        with suppress(OSError):  # the descriptors before it are in the list already
            said.extend(map(read, descriptors, repeat(SHORT)))
        if len(said) == len(descriptors) and max(map(len, said)) < SHORT and all(said):
            self.take(descriptors, said, now)
            return
        for index, descriptor in enumerate(descriptors):
            if cause := self.read(descriptor, ENDING, now, said[index] if index < len(said) else None):
                yield descriptor, cause

    def read(self, descriptor: int, events: int, now: float, data: bytes | None = None) -> str:
        """Read everything that arrived on a connection; ``data`` has been read already.

        Return the cause if the connection has ended, otherwise an empty string. An edge is reported once, so everything must be
        read. A short read was the last one, as long as the peer's FIN has not come: that saves a second call, and an exception,
        for each answer (epoll(7)).
        """
        size = SHORT
        try:
            while data := read(descriptor, size) if data is None else data:
                self.take((descriptor,), (data,), now)
                if len(data) < size and not events & ENDING:
                    return ""
                size, data = LONG, None
        except BlockingIOError:
            return ""
        except OSError as failure:
            return cause_of(failure)
        return PEER_CLOSED

    def take(self, descriptors: Sequence[int], said: Sequence[bytes], now: float) -> None:
        self.bytes_received += sum(map(len, said))
        spoken = self.spoken
        for index, descriptor in enumerate(descriptors):
            if not spoken[descriptor]:
                spoken[descriptor] = True
                self.first_byte.took(descriptor, now - self.called[descriptor])
                self.heard = self.heard or said[index][:HEARD_BYTES]
        for hears in self.hearing:
            hears(descriptors, said, now)

    def forget(self, descriptor: int) -> None:
        if self.spoken[descriptor]:
            self.spoken[descriptor] = False


def one_by_one(behaviour: Behaviour) -> Hearing:
    def hears(descriptors: Sequence[int], said: Sequence[bytes], now: float) -> None:
        for descriptor, data in zip(descriptors, said, strict=True):
            behaviour.heard(descriptor, data, now)

    return hears
