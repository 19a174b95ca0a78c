"""The messages that a target pushes to its connections. Pure.

All messages are equal, so a server need not build them and a client can check them cheaply. A message starts with another
byte than a heartbeat does, because the echo of a heartbeat may arrive between two pushes.
"""

from __future__ import annotations

from dataclasses import dataclass

KIND = b"P"
MESSAGE = KIND + bytes(range(33, 96))  # 64 bytes

# The names of the counts in a tally's pushes.
SENT = "sent"  # by a target
HELD_BACK = "held_back"  # by a target, because the peer had not accepted all of the message before
RECEIVED = "received"  # by a client, complete and correct
WRONG_BYTES = "wrong_bytes"  # received by a client, neither a push nor an answer


@dataclass(frozen=True, slots=True)
class Push:
    """The setting that a target sends ``rate`` messages a second to each connection."""

    rate: float

    @property
    def interval(self) -> float:
        """The seconds between two messages that a target pushes to one connection."""
        return 1 / self.rate
