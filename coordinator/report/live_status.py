"""The live status in one line: turnover, storms, heartbeats, pushes, latencies of the last second, and bytes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from c1m.coordinator.ledger.latency_kinds import LABELS, shown
from c1m.coordinator.ledger.ledger import Ledger
from c1m.coordinator.ledger.timeline import Timeline
from c1m.measure.latency import percentile, since
from c1m.measure.tally import Tally
from c1m.text.units import format_bytes, format_duration
from c1m.traffic.heartbeat import LATE, MISSING, RECOVERED, SENT, UNASKED_BYTES, WRONG
from c1m.traffic.push import RECEIVED
from c1m.traffic.turnover import Wave

TROUBLED = (LATE, MISSING, RECOVERED, WRONG, UNASKED_BYTES)


def status(ledger: Ledger) -> list[str]:
    """Return the parts of the status line of a run as short texts. Parts on what the run does not do are left out."""
    tally = ledger.tally
    return [
        *turnover(tally),
        *storm(ledger.waves),
        *heartbeats(tally.heartbeats),
        *([f"{pushed:,} pushes"] if (pushed := tally.pushes.get(RECEIVED, 0)) else []),
        *latencies(ledger.timeline),
        *traffic(tally),
    ]


def turnover(tally: Tally) -> list[str]:
    """Return short texts on how many connections were replaced and reopened, are away, and wait to be reopened.

    Counts of zero are left out.
    """
    numbers = {"replaced": tally.replaced, "reopened": tally.reopened, "away": tally.away, "waiting": tally.waiting}
    return [f"{count:,} {name}" for name, count in numbers.items() if count]


def storm(waves: Sequence[Wave]) -> list[str]:
    """Return a short text on how many of the connections that left in the newest storm have returned.

    The list is empty before the first storm.
    """
    begun = [wave for wave in waves if wave.dropped]
    if not begun:
        return []
    newest = begun[-1]
    after = f" after {format_duration(newest.recovered_seconds)}" if newest.is_over and newest.returned else ""
    return [f"{newest.returned:,} of {newest.dropped - newest.forgone:,} back from the storm{after}"]


def heartbeats(counts: Mapping[str, int]) -> list[str]:
    """Return short texts on how many heartbeats were sent, and how many went wrong in each way.

    The list is empty if none were sent.
    """
    if not (sent := counts.get(SENT, 0)):
        return []
    troubled = {name.replace("_", " "): counts.get(name, 0) for name in TROUBLED}
    return [f"{sent:,} heartbeats", *(f"{count:,} {name}" for name, count in troubled.items() if count)]


def latencies(timeline: Timeline) -> list[str]:
    """Return a short text for each kind of latency with its p99 between the two newest rows of the timeline."""
    if len(timeline.rows) < 2:
        return []
    (_, before), (_, now) = timeline.rows[-2:]
    found = {kind: since(now.latencies[kind], before.latencies.get(kind, {})) for kind in shown(now.latencies)}
    return [f"{LABELS[kind]} p99 {format_duration(percentile(counts, 99) / 1e6)}" for kind, counts in found.items() if counts]


def traffic(tally: Tally) -> list[str]:
    """Return a list of one short text on the bytes that clients have sent and received; an empty list if there were none."""
    if not (tally.bytes_sent or tally.bytes_received):
        return []
    return [f"{format_bytes(tally.bytes_sent)} out, {format_bytes(tally.bytes_received)} in"]
