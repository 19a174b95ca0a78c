"""The interface of behaviours: what connections do besides being open."""

from __future__ import annotations

from typing import Protocol


class Behaviour(Protocol):
    """Interface of what connections do besides being open, such as heartbeats.

    It is notified of what happens to connections, and gets turns to act. State lives in arrays indexed by descriptor. Times are
    seconds on the monotonic clock. Only ``act`` may send, open or close; the other methods only take note, since their caller
    goes on with the descriptor.
    """

    def opened(self, descriptor: int, now: float) -> None:
        """Take note that a connection is established. Returns nothing."""

    def heard(self, descriptor: int, data: bytes, now: float) -> None:
        """Take note of bytes that arrived on a connection, in order. Message boundaries are unknown. Returns nothing."""

    # A behaviour may also have ``heard_all(descriptors, said, now)``: the same of many connections at a time.

    def gone(self, descriptor: int, now: float) -> None:
        """Take note that a connection is closed or lost. The kernel gives its descriptor to the next one that is opened."""

    def act(self, now: float) -> float:
        """Do what is due on all connections, for a few milliseconds at most, and return when to call again, in monotonic
        seconds; infinite for never.
        """
