"""What a target pushes to its connections without being asked. Pure.

A message is the same for all, so that it costs a server nothing to make and a client nothing to check. It begins with
another byte than a heartbeat, whose echo may come between two of them.
"""

from __future__ import annotations

from dataclasses import dataclass

KIND = b"P"
MESSAGE = KIND + bytes(range(33, 96))  # 64 bytes

# What is counted, by name, in a tally's pushes.
SENT = "sent"  # a target's
HELD_BACK = "held_back"  # a target's: the peer had not taken all of the one before
RECEIVED = "received"  # a client's, whole and right
WRONG_BYTES = "wrong_bytes"  # a client's: neither a push nor an answer


@dataclass(frozen=True, slots=True)
class Push:
    """``rate`` is messages a second to each connection."""

    rate: float

    @property
    def interval(self) -> float:
        return 1 / self.rate
