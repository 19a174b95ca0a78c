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
    """A time in which the coordinator did not run, by its own clock."""

    began: float
    ended: float

    @property
    def seconds(self) -> float:
        return self.ended - self.began


class FailureDetector:
    """How long each node has been silent, counted only while the coordinator itself was awake.

    A coordinator that was stopped, or got no processor, has received nothing, and must not take all nodes for lost when it
    wakes up. Between two of its ticks no more than ``most`` is counted, however long it was (Cassandra calls that a local
    pause). What arrived meanwhile is read before silence can grow again.
    """

    def __init__(self, most: float = 2 * TICK_SECONDS) -> None:
        self.most = most
        self.awake = 0.0  # seconds of the coordinator's that count
        self.ticked: float | None = None
        self.heard: dict[str, float] = {}  # node -> ``awake`` when it was last heard
        self.pause: Pause | None = None  # the newest
        self.unheard: set[str] = set()  # nodes without a sample since then

    def tick(self, now: float) -> list[str]:
        """Return the nodes that have been silent for too long, each once."""
        self.wake(now)
        if self.ticked is not None:
            self.awake += min(now - self.ticked, self.most)
        self.ticked = now
        silent = [name for name, heard in self.heard.items() if self.awake - heard >= SILENCE_SECONDS]
        for name in silent:
            self.forget(name)
        return silent

    def wake(self, now: float) -> None:
        """Note a pause that ends now, if there was one. Call it before anything that arrived meanwhile is handled."""
        began = self.ticked
        if began is not None and now - began >= PAUSE_SECONDS and (self.pause is None or self.pause.began != began):
            self.pause, self.unheard = Pause(began, now), set(self.heard)

    def hear(self, name: str) -> None:
        """Note that a node sent something, or that it has to send something from here on."""
        self.heard[name] = self.awake
        self.unheard.discard(name)

    def forget(self, name: str) -> None:
        """Expect nothing more from a node."""
        self.heard.pop(name, None)
        self.unheard.discard(name)
