"""What heartbeats found out: how many were answered, in time and rightly, and whether both sides agree on the bytes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from c1m.coordinator.spec.metrics import HEARTBEATS_ANSWERED, HEARTBEATS_COUNTED
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


def to_summary(counts: Mapping[str, int], expect: Expect) -> dict[str, Any]:
    """What nobody waits for is unknown, not answered by nobody."""
    known = {name: counts.get(name, 0) for name in HEARTBEATS_COUNTED} | {"under_way": under_way(counts)}
    if expect is Expect.NONE:
        return known | dict.fromkeys(HEARTBEATS_ANSWERED)
    return known


def complaints(counts: Mapping[str, int], wanted: Heartbeat) -> list[str]:
    """Whether each connection proved to be alive: what of it is not true, a sentence each."""
    told = []
    if missing := counts.get(MISSING, 0):
        told.append(
            f"{missing:,} of {counts[SENT]:,} heartbeats were unanswered after {format_duration(wanted.interval)}, "
            f"{counts.get(RECOVERED, 0):,} of them later"
        )
    if wrong := counts.get(WRONG, 0):
        told.append(f"{wrong:,} of {counts[SENT]:,} heartbeats got another answer than the one expected")
    if unasked := counts.get(UNASKED_BYTES, 0):
        told.append(f"{unasked:,} bytes came that answer no heartbeat")
    return told


def notes(tally: Tally, wanted: Heartbeat | None) -> list[str]:
    """What heartbeats say nothing of: of a short run with a long interval they may say next to nothing."""
    silent = tally.opened - tally.heartbeats.get(SENT, 0)
    if wanted is None or silent <= 0:
        return []
    sentence = (
        f"{silent:,} of {tally.opened:,} connections at least never sent a heartbeat: one comes within "
        f"{format_duration(wanted.interval)}, and they did not last so long; hold longer, or give a shorter --heartbeat"
    )
    return [sentence]


def keepalive_summary(seconds: float, probes: Iterable[int | None], dropped: Mapping[str, int]) -> dict[str, Any]:
    """``probes`` are TCPKeepAlive of each of the clients' network namespaces; None is unknown."""
    sent = list(probes)
    return {
        "interval_seconds": seconds,
        "probes_sent": None if None in sent or not sent else sum(each for each in sent if each),
        "timed_out": dropped.get(TIMED_OUT, 0),
    }


def push_summary(clients: Mapping[str, int], target: Mapping[str, int]) -> dict[str, Any]:
    return {
        "sent": target.get(SENT, 0),
        "held_back": target.get(HELD_BACK, 0),
        "received": clients.get(RECEIVED, 0),
        "wrong_bytes": clients.get(WRONG_BYTES, 0),
    }


def push_complaints(clients: Mapping[str, int]) -> list[str]:
    wrong = clients.get(WRONG_BYTES, 0)
    return [f"{wrong:,} bytes came that are no message which the target pushes, and no answer"] if wrong else []


def bytes_differ(clients: Tally, target: Tally) -> list[str]:
    """Of tallies from the end, when nothing was under way any more; a sentence for each way. Nothing where some was lost."""
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
