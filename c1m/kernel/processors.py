"""What a machine's processors did: the first line of /proc/stat. Of the whole machine, containers and all."""

from __future__ import annotations

import os
import re
from typing import Final

from .host import read_text

MS_PER_TICK: Final = 1000 / os.sysconf("SC_CLK_TCK")
# In this order; guest times, which follow, are in user and nice already.
USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL = range(8)


def parse_ticks(stat: str) -> list[int]:
    """Clock ticks since boot over all processors, by USER and so on; empty for another form, and before 2.6.11 (no steal)."""
    found = re.match(r"cpu +((?:\d{1,20} ?)+)", stat)
    ticks = [int(word) for word in found[1].split()] if found else []
    return ticks[: STEAL + 1] if len(ticks) > STEAL else []


def counters(stat: str) -> dict[str, int]:
    """Milliseconds since boot that processors worked, that they worked in softirqs (where most of TCP happens), and that a
    hypervisor gave to others; empty where it is unknown."""
    ticks = parse_ticks(stat)
    if not ticks:
        return {}
    busy = sum(ticks[kind] for kind in (USER, NICE, SYSTEM, IRQ, SOFTIRQ))
    known = {"cpu_busy_ms": busy, "cpu_softirq_ms": ticks[SOFTIRQ], "cpu_steal_ms": ticks[STEAL]}
    return {name: round(value * MS_PER_TICK) for name, value in known.items()}


def read_counters() -> dict[str, int]:
    return counters(read_text("/proc/stat") or "")
