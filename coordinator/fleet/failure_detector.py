"""Whether nodes are still there, by their silence. Pure.

A node sends a sample at least once a second (c1m/measure/sampling.py), so silence is the one sign of all that can happen to
it: killed, stopped, cut off, out of power. Phi-accrual detectors (Hayashibara et al., 2004; Akka, Cassandra) learn how long a
peer is usually silent; here that is known, and a number is easier to understand at night.
"""

from __future__ import annotations

from typing import NamedTuple

TICK_SECONDS = 0.25
# A healthy machine that was full of work (a million heartbeats on two cores) was once silent for 3 s. The loss is declared a
# tick later at most, and has to be declared within 5 s.
SILENCE_SECONDS = 4.5
PAUSE_SECONDS = 1.0  # without a tick: the coordinator stood still, and what it knows of its nodes may be out of date


class Pause(NamedTuple):
    """A period in which the coordinator did not run: its beginning and end, in seconds on the coordinator's clock."""

    began: float
    ended: float

    @property
    def seconds(self) -> float:
        return self.ended - self.began


class FailureDetector:
    """Finds nodes that have been silent for too long, counting only the time in which the coordinator itself was awake.

    A coordinator that was stopped, or got no processor, has received nothing, and must not take all nodes for lost when it
    wakes up. Between two of its ticks no more than ``most`` seconds are counted, however long it was (Cassandra calls that a
    local pause). What arrived meanwhile is read before silence can grow again.
    """

    def __init__(self, most: float = 2 * TICK_SECONDS) -> None:
        self.most = most
        self.awake = 0.0  # seconds of the coordinator's that count
        self.ticked: float | None = None
        self.heard: dict[str, float] = {}  # node -> ``awake`` when it was last heard
        self.pause: Pause | None = None  # the newest
        self.unheard: set[str] = set()  # nodes without a sample since then

    def tick(self, now: float) -> list[str]:
        """Return the names of the nodes that have been silent for SILENCE_SECONDS by the time ``now``, each only once."""
        self.wake(now)
        if self.ticked is not None:
            self.awake += min(now - self.ticked, self.most)
        self.ticked = now
        silent = [name for name, heard in self.heard.items() if self.awake - heard >= SILENCE_SECONDS]
        for name in silent:
            self.forget(name)
        return silent

    def wake(self, now: float) -> None:
        """Record a pause of the coordinator that ends at the time ``now``, if there was one. Returns nothing.

        Call it before anything that arrived during the pause is handled.
        """
        began = self.ticked
        if began is not None and now - began >= PAUSE_SECONDS and (self.pause is None or self.pause.began != began):
            self.pause, self.unheard = Pause(began, now), set(self.heard)

    def hear(self, name: str) -> None:
        """Count a node's silence from now on: it has sent something, or has to send something from here on. Returns nothing."""
        self.heard[name] = self.awake
        self.unheard.discard(name)

    def forget(self, name: str) -> None:
        """Stop counting the silence of a node, from which no more samples are expected. Returns nothing."""
        self.heard.pop(name, None)
        self.unheard.discard(name)
