"""Whether a worker's own processors kept up with what it measured: latencies of one that did not are partly its own. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Of a second, from which on the processor is what a process waits for, or has used up.
WAITING_PERCENT, ALL_OF_A_CPU_PERCENT = 40, 90
LEAST_SECONDS, LEAST_SHARE = 3, 0.1  # that are worth a word: a short ramp at full speed is what a run is for


@dataclass
class Saturation:
    """A fold over the levels of a worker's readings, one a second, from the start to the end of the hold."""

    seconds: int = 0
    saturated: int = 0

    def take(self, levels: Mapping[str, int]) -> None:
        """Levels that do not tell are none of those seconds."""
        if "busiest_cpu_percent" not in levels:
            return
        self.seconds += 1
        waited = levels.get("longest_cpu_wait_percent", 0) >= WAITING_PERCENT
        self.saturated += waited or levels["busiest_cpu_percent"] >= ALL_OF_A_CPU_PERCENT

    @property
    def sentence(self) -> str:
        """Empty where it is not worth a word."""
        if self.saturated < max(LEAST_SECONDS, LEAST_SHARE * self.seconds):
            return ""
        return (
            f"in {self.saturated:,} of {self.seconds:,} seconds its processes waited for a CPU or had all of one, so that "
            "latencies include waiting for its own processors; to measure only the server, add workers or lower --rate"
        )
