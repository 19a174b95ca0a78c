"""Results of storms: how many connections left and came back, how long it took, and what accept queues dropped. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from c1m.coordinator.ledger.timeline import HostState, TimelineRow
from c1m.coordinator.summary.traffic import StormSummary
from c1m.traffic.storm import CLIENTS, Storm
from c1m.traffic.turnover import Wave

# What Linux counts when more connections come than are accepted (snmp_counter.rst): dropped because the accept queue was
# full, dropped for any reason, answered with a SYN cookie, dropped because the SYN queue was full.
QUEUE_COUNTERS = ("ListenOverflows", "ListenDrops", "TCPReqQFullDoCookies", "TCPReqQFullDrop")
READING_SECONDS = 1.5  # age that a host reading in a row of the timeline may have

Rows = Sequence[tuple[float, TimelineRow]]


def in_order(storms: Sequence[Storm]) -> list[Storm]:
    """Return the storms sorted by time, which is the order in which nodes report their waves."""
    return sorted(storms, key=lambda storm: storm.at)


def summarise_storms(storms: Sequence[Storm], waves: Sequence[Wave], rows: Rows, *, with_target: bool) -> list[StormSummary]:
    """Return the results of each storm as a JSON object for the summary.

    ``waves``: what each storm did in the whole fleet. Accept queues are None without a target.
    """
    summaries = []
    for index, storm in enumerate(in_order(storms)):
        wave = waves[index] if index < len(waves) else Wave()
        recovered = wave.recovered_seconds if wave.is_over and wave.returned else None
        summaries.append(
            StormSummary(
                at_seconds=storm.at,
                by=storm.by,
                drop_percent=storm.share * 100,
                return_seconds=storm.return_seconds if storm.by == CLIENTS else None,
                dropped=wave.dropped,
                returned=wave.returned,
                forgone=wave.forgone,
                recovery_seconds=recovered,
                slowest_connect_us=round(wave.slowest_seconds * 1e6) if wave.returned else None,
                accept_queues=queue_story(rows, storm.at, storm.at + wave.recovered_seconds) if with_target else None,
            )
        )
    return summaries


def queue_story(rows: Rows, begin: float, end: float) -> dict[str, int] | None:
    """Return kernel counter -> events on the target's host between two times; None if the host was not read at both."""
    before = [host for at, moment in rows if at <= begin and (host := target_host(moment))]
    after = [host for at, moment in rows if at >= end and (host := target_host(moment))]
    late = [host for at, moment in rows if at >= end + READING_SECONDS and (host := target_host(moment))]
    if not before or not after:
        return None
    first, last = before[-1].counters, (late[0] if late else after[-1]).counters
    return {name: last.get(name, 0) - first.get(name, 0) for name in QUEUE_COUNTERS}  # a row leaves out what had no events


def target_host(moment: TimelineRow) -> HostState | None:
    """Return the state of the target's host, which the ledger puts first; None if it is unknown."""
    return next(iter(moment.hosts.values()), None)


def failures(storms: Sequence[Storm], waves: Sequence[Wave]) -> list[str]:
    """Return a sentence for each storm that dropped nothing or whose connections did not all come back."""
    sentences = []
    for index, storm in enumerate(in_order(storms)):
        wave = waves[index] if index < len(waves) else Wave()
        if not wave.dropped:
            sentences.append(f"the storm {storm} dropped no connection; does the run last until then?")
        elif not wave.is_over:
            forgone = f", and the schedule no longer asked for {wave.forgone:,}" if wave.forgone else ""
            left = f"{wave.dropped:,} connections that left in the storm {storm}"
            sentences.append(f"{wave.returned:,} of {left} came back{forgone}")
    return sentences
