"""Whether a worker was CPU-bound, in which case its latencies include its own scheduling delay. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Percent of a second. From here on a process waits for a CPU too long, or uses all of one.
WAITING_PERCENT, ALL_OF_A_CPU_PERCENT = 40, 90
LEAST_SECONDS, LEAST_SHARE = 3, 0.1  # saturated seconds worth a note; a short ramp at full speed is normal


@dataclass
class Saturation:
    """Counts the seconds in which a worker was CPU-bound, from its readings between the start and the end of the hold."""

    seconds: int = 0
    saturated: int = 0

    def take(self, levels: Mapping[str, int]) -> None:
        """Count one more second as CPU-bound or not, by the CPU percentages in a reading. Readings without them are ignored."""
        if "busiest_cpu_percent" not in levels:
            return
        self.seconds += 1
        waited = levels.get("longest_cpu_wait_percent", 0) >= WAITING_PERCENT
        self.saturated += waited or levels["busiest_cpu_percent"] >= ALL_OF_A_CPU_PERCENT

    @property
    def sentence(self) -> str:
        """A sentence for people that the worker was CPU-bound and for how long; empty if that was only a short time."""
        if self.saturated < max(LEAST_SECONDS, LEAST_SHARE * self.seconds):
            return ""
        return (
            f"was CPU-bound in {self.saturated:,} of {self.seconds:,} seconds, so latencies include its own scheduling delay; "
            "add workers or lower --rate"
        )
