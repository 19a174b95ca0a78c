"""How often a watcher wants to be told: often for a few nodes, and less often for each of a thousand. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

SAMPLE_SECONDS = 0.25
SILENCE_SECONDS = 1.0  # a node tells something as often as that, whatever it was asked for: its silence means that it is gone

# What a coordinator takes from all of its nodes together. A sample takes it 0.15 ms, gRPC's part included, one with a reading
# 0.6 ms: that is a third of a core. A thousand nodes that were asked for nothing would send 4,000 and 1,000.
SAMPLES_A_SECOND = 1000
READINGS_A_SECOND = 250


@dataclass(frozen=True, slots=True)
class Pace:
    sample_seconds: float = SAMPLE_SECONDS  # no sooner after a sample the next one
    reading_every: int = 1  # of the readings, each so many-th


OFTEN = Pace()


def pace_of(nodes: int) -> Pace:
    """For each of so many, by one coordinator."""
    seconds = min(max(nodes / SAMPLES_A_SECOND, SAMPLE_SECONDS), SILENCE_SECONDS)
    return Pace(seconds, max(math.ceil(nodes / READINGS_A_SECOND), 1))
