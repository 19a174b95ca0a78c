"""Results of heartbeats, keepalive and server push: what was answered, and whether both sides agree on the bytes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields

from c1m.coordinator.summary.traffic import HeartbeatResults, KeepaliveResults, PushResults
from c1m.measure.tally import TIMED_OUT, Tally
from c1m.text.units import format_duration
from c1m.traffic.heartbeat import (
    CUT_OFF,
    MISSING,
    RECOVERED,
    SENT,
    UNASKED_BYTES,
    WRONG,
    Expect,
    Heartbeat,
    under_way,
)
from c1m.traffic.push import HELD_BACK, RECEIVED, WRONG_BYTES

OF_ANSWERS = tuple(item.name for item in fields(HeartbeatResults) if item.name != SENT)


def to_summary(counts: Mapping[str, int], expect: Expect) -> HeartbeatResults:
    """Return the heartbeat counts as a JSON object for the summary. Counts of answers are None if the run expects none."""
    sent = counts.get(SENT, 0)
    if expect is Expect.NONE:
        return HeartbeatResults(sent, **dict.fromkeys(OF_ANSWERS))
    return HeartbeatResults(sent, **{name: counts.get(name, 0) for name in OF_ANSWERS} | {"under_way": under_way(counts)})


def complaints(counts: Mapping[str, int], wanted: Heartbeat) -> list[str]:
    """Return a sentence for each way in which heartbeats failed; empty if all were answered in time and correctly."""
    sentences = []
    if missing := counts.get(MISSING, 0):
        sentences.append(
            f"{missing:,} of {counts[SENT]:,} heartbeats were not answered within {format_duration(wanted.interval)}; "
            f"{counts.get(RECOVERED, 0):,} of them were answered later"
        )
    if wrong := counts.get(WRONG, 0):
        sentences.append(f"{wrong:,} of {counts[SENT]:,} heartbeats got an unexpected answer")
    if unasked := counts.get(UNASKED_BYTES, 0):
        sentences.append(f"clients received {unasked:,} bytes that answer no heartbeat")
    return sentences


def notes(tally: Tally, wanted: Heartbeat | None) -> list[str]:
    """Return a sentence if connections ended before their first heartbeat, which then proves nothing about them."""
    silent = tally.opened - tally.heartbeats.get(SENT, 0)
    if wanted is None or silent <= 0:
        return []
    sentence = (
        f"at least {silent:,} of {tally.opened:,} connections never sent a heartbeat: they ended before the first one, which "
        f"is sent within {format_duration(wanted.interval)}; hold longer, or give a shorter --heartbeat"
    )
    return [sentence]


def keepalive_summary(seconds: float, probes: Iterable[int | None], dropped: Mapping[str, int]) -> KeepaliveResults:
    """Return the results of TCP keepalive as a JSON object for the summary.

    ``probes``: the counter TCPKeepAlive of each network namespace with clients; None is unknown.
    """
    sent = list(probes)
    probes_sent = None if None in sent or not sent else sum(each for each in sent if each)
    return KeepaliveResults(seconds, probes_sent, dropped.get(TIMED_OUT, 0))


def push_summary(clients: Mapping[str, int], target: Mapping[str, int]) -> PushResults:
    """Return the counts of server pushes, as clients and target have them, as a JSON object for the summary."""
    return PushResults(
        sent=target.get(SENT, 0),
        held_back=target.get(HELD_BACK, 0),
        received=clients.get(RECEIVED, 0),
        wrong_bytes=clients.get(WRONG_BYTES, 0),
    )


def push_complaints(clients: Mapping[str, int]) -> list[str]:
    """Return a sentence if clients received bytes that are neither a pushed message nor an answer; else an empty list."""
    wrong = clients.get(WRONG_BYTES, 0)
    return [f"clients received {wrong:,} bytes that are neither a pushed message nor an answer"] if wrong else []


def bytes_differ(clients: Tally, target: Tally) -> list[str]:
    """Return a sentence for each direction in which sent and received bytes differ.

    The tallies are from the end of the run, when nothing is under way. Empty if connections were lost, and bytes with them.
    """
    if clients.dropped or target.dropped or under_way(clients.heartbeats) or clients.heartbeats.get(CUT_OFF):
        return []
    ways = (
        ("clients", clients.bytes_sent, "acceptors", target.bytes_received),
        ("acceptors", target.bytes_sent, "clients", clients.bytes_received),
    )
    return [
        f"the {sender} sent {sent:,} bytes, and the {receiver} received {received:,}"
        for sender, sent, receiver, received in ways
        if sent != received
    ]
