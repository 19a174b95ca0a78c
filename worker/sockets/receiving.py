"""What servers say: read to the end, counted, the first words kept, and handed on to whoever waits for it."""

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
    """``called`` is when each descriptor's connect was called."""

    def __init__(self, called: array[float], sources: SourceNumbers) -> None:
        self.called = called
        self.hearing: Sequence[Hearing] = ()
        self.spoken = bytearray(len(called))  # by descriptor; no memory before somebody speaks: the kernel's zero page
        self.first_byte = SourceLatencies(sources)  # from the call of connect() to the first byte
        self.bytes_received = 0
        self.heard = b""  # the first that any server said: one that drops everybody often says why

    def hand_to(self, behaviours: Sequence[Behaviour]) -> None:
        self.hearing = [getattr(behaviour, "heard_all", None) or one_by_one(behaviour) for behaviour in behaviours]

    def read_all(self, descriptors: Sequence[int], now: float) -> Iterator[tuple[int, str]]:
        """Take what came over all of these; those of them that have ended, with why.

        All are read first, and looked at then, and both by loops of the interpreter's own C: between two system calls there
        is next to nothing that has to find its way into the processor's cache again.
        """
        said: list[bytes] = []
        with suppress(OSError):  # then those before it are in the list
            said.extend(map(read, descriptors, repeat(SHORT)))
        if len(said) == len(descriptors) and max(map(len, said)) < SHORT and all(said):
            self.take(descriptors, said, now)
            return
        for index, descriptor in enumerate(descriptors):
            if cause := self.read(descriptor, ENDING, now, said[index] if index < len(said) else None):
                yield descriptor, cause

    def read(self, descriptor: int, events: int, now: float, data: bytes | None = None) -> str:
        """Take what came, of which ``data`` has been read. Why the connection has ended; empty when it has not.

        An edge is reported once, so everything must be read; but a read that is short was the last, as long as the
        peer's end has not come: that spares a second call, and an exception, for each answer (epoll(7)).
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
