"""Which source addresses have trouble: whose handshakes take a second or longer, which is a SYN that was lost, and whose fail.

A source that has no route back, or that a filter drops, shows here and nowhere else. Looked at where there is trouble only:
connections that come at once are none of it, and cost nothing.
"""

from __future__ import annotations

from _socket import SOCK_STREAM, socket
from collections import Counter

from c1m.net.tuples import Address

SLOW_SECONDS = 1.0  # the first SYN is sent again after that (RFC 6298)
MOST_SOURCES = 256  # that a shard tells apart; further ones are "others"
SLOW, FAILED, OTHERS = "slow", "failed", "others"


class SourceErrors:
    def __init__(self, family: int) -> None:
        self.family = family
        self.counts: Counter[str] = Counter()  # "10.0.0.7 slow" -> connections
        self.known: set[str] = set()
        self.slow: dict[int, float] = {}  # descriptor -> when the connection was called that is counted as slow

    def is_slow(self, descriptor: int, called: float) -> None:
        """Its SYN has gone unanswered for a second; said again of the same connection, it changes nothing."""
        if self.slow.get(descriptor) != called:
            self.slow[descriptor] = called
            self.count(source_of(self.family, descriptor)[0], SLOW)

    def has_failed(self, descriptor: int) -> None:
        """Before it is closed: the kernel knows its source until then."""
        self.count(source_of(self.family, descriptor)[0], FAILED)

    def count(self, source: str, what: str) -> None:
        if len(self.known) < MOST_SOURCES:
            self.known.add(source)
        self.counts[f"{source if source in self.known else OTHERS} {what}"] += 1


def source_of(family: int, descriptor: int) -> Address:
    """Its own end. The kernel knows it until it is closed."""
    connection = socket(family, SOCK_STREAM, 0, descriptor)
    source: Address = connection.getsockname()[:2]
    connection.detach()
    return source
