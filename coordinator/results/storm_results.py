"""What storms did, for the summary: who left, who came back, how long it took, and what the accept queues said. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from c1m.coordinator.ledger.timeline import HostState, TimelineRow
from c1m.traffic.storm import CLIENTS, Storm
from c1m.traffic.turnover import Wave

# What Linux counts when more connections come than are accepted (snmp_counter.rst): dropped because the accept queue was
# full, dropped for any reason, answered with a SYN cookie, dropped because the SYN queue was full.
QUEUE_COUNTERS = ("ListenOverflows", "ListenDrops", "TCPReqQFullDoCookies", "TCPReqQFullDrop")
READING_SECONDS = 1.5  # so old may be what a row of the time line tells of a host

Rows = Sequence[tuple[float, TimelineRow]]


def in_order(storms: Sequence[Storm]) -> list[Storm]:
    """As they come, which is how nodes tell of them."""
    return sorted(storms, key=lambda storm: storm.at)


def summarise_storms(storms: Sequence[Storm], waves: Sequence[Wave], rows: Rows, *, with_target: bool) -> list[dict[str, Any]]:
    """``waves``: of the whole fleet. Without a target nobody knows of its queues."""
    told = []
    for index, storm in enumerate(in_order(storms)):
        wave = waves[index] if index < len(waves) else Wave()
        recovered = wave.recovered_seconds if wave.is_over and wave.returned else None
        told.append(
            {
                "at_seconds": storm.at,
                "by": storm.by,
                "drop_percent": storm.share * 100,
                "return_seconds": storm.return_seconds if storm.by == CLIENTS else None,
                "dropped": wave.dropped,
                "returned": wave.returned,
                "forgone": wave.forgone,
                "recovery_seconds": recovered,
                "slowest_connect_us": round(wave.slowest_seconds * 1e6) if wave.returned else None,
                "accept_queues": queue_story(rows, storm.at, storm.at + wave.recovered_seconds) if with_target else None,
            }
        )
    return told


def queue_story(rows: Rows, begin: float, end: float) -> dict[str, int] | None:
    """Events on the target's host between two times, by the kernel's names; None where it was not read at both."""
    before = [host for at, moment in rows if at <= begin and (host := target_host(moment))]
    after = [host for at, moment in rows if at >= end and (host := target_host(moment))]
    late = [host for at, moment in rows if at >= end + READING_SECONDS and (host := target_host(moment))]
    if not before or not after:
        return None
    first, last = before[-1].counters, (late[0] if late else after[-1]).counters
    return {name: last[name] - first[name] for name in QUEUE_COUNTERS if name in last and name in first}


def target_host(moment: TimelineRow) -> HostState | None:
    """The ledger tells of the target's host first."""
    return next(iter(moment.hosts.values()), None)


def failures(storms: Sequence[Storm], waves: Sequence[Wave]) -> list[str]:
    """Of the storms that did not end as they should, a sentence each."""
    told = []
    for index, storm in enumerate(in_order(storms)):
        wave = waves[index] if index < len(waves) else Wave()
        if not wave.dropped:
            told.append(f"the storm {storm} dropped nobody; does the run last until then?")
        elif not wave.is_over:
            forgone = f", and {wave.forgone:,} were not asked for any more" if wave.forgone else ""
            told.append(f"of {wave.dropped:,} connections that left in the storm {storm}, {wave.returned:,} came back{forgone}")
    return told
