"""What heartbeats found out: how many were answered, in time and rightly, and whether both sides agree on the bytes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from c1m.heartbeat import (
    ANSWERED,
    CUT_OFF,
    LATE,
    MISSING,
    RECOVERED,
    SENT,
    UNASKED_BYTES,
    WRONG,
    Expect,
    Heartbeat,
    under_way,
)
from c1m.tally import Tally
from c1m.units import format_duration

COUNTED = (
    SENT,
    ANSWERED,
    LATE,
    MISSING,
    RECOVERED,
    WRONG,
    CUT_OFF,
    UNASKED_BYTES,
)


def to_summary(counts: Mapping[str, int], expect: Expect) -> dict[str, Any]:
    """What nobody waits for is unknown, not answered by nobody."""
    known = {name: counts.get(name, 0) for name in COUNTED} | {"under_way": under_way(counts)}
    if expect is Expect.NONE:
        return known | {name: None for name in known if name != SENT}
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
