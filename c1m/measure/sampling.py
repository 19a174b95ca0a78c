"""How often a watcher wants to be told: often for a few nodes, and less often for each of a thousand. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

SAMPLE_SECONDS = 0.25
SILENCE_SECONDS = 1.0  # a node tells something as often as that, whatever it was asked for: its silence means that it is gone

# What a coordinator takes from all of its nodes together. 871 samples a second of 250 nodes, through real gRPC, took it 38 % of
# a core. A thousand nodes that were asked for nothing would send 4,000, and 1,000 of them with readings.
SAMPLES_A_SECOND = 1000
READINGS_A_SECOND = 250


@dataclass(frozen=True, slots=True)
class SamplingInterval:
    sample_seconds: float = SAMPLE_SECONDS  # no sooner after a sample the next one
    reading_every: int = 1  # of the readings, each so many-th


OFTEN = SamplingInterval()


def pace_of(nodes: int) -> SamplingInterval:
    """For each of so many, by one coordinator."""
    seconds = min(max(nodes / SAMPLES_A_SECOND, SAMPLE_SECONDS), SILENCE_SECONDS)
    return SamplingInterval(seconds, max(math.ceil(nodes / READINGS_A_SECOND), 1))
