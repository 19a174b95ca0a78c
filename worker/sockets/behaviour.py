"""What connections do besides being open: the seam between the table of connections and whatever makes them live."""

from __future__ import annotations

from typing import Protocol


class Behaviour(Protocol):
    """Told what happens to connections, and given its turn. State lives in arrays indexed by descriptor.

    Times are seconds on the monotonic clock. Only ``act`` may send, open or close; the other three only take note, since
    whoever calls them goes on with the descriptor.
    """

    def opened(self, descriptor: int, now: float) -> None:
        """It was established."""

    def heard(self, descriptor: int, data: bytes, now: float) -> None:
        """Some bytes of the peer's, in order; where one message ends and another begins is not known."""

    # A behaviour may also have ``heard_all(descriptors, said, now)``: the same of many connections at a time.

    def gone(self, descriptor: int, now: float) -> None:
        """It is closed or was lost; the kernel gives the descriptor to the next one that is opened."""

    def act(self, now: float) -> float:
        """Do what is due, for some milliseconds at most; the time when there is more to do, inf for never."""
