"""Kinds of latency. Each is shown for the whole run, over time, by node and by source address. Pure.

A kind is the name of its histogram.
"""

from __future__ import annotations

from collections.abc import Collection

DUE, ACCEPT = "connect_latency_from_due_us", "accept_delay_us"  # not by source address
CONNECT, FIRST_BYTE, HEARTBEAT = "connect_latency_us", "first_byte_us", "heartbeat_rtt_us"
LABELS = {CONNECT: "connect", FIRST_BYTE: "first byte", HEARTBEAT: "heartbeat"}  # in the order in which they are shown


def shown(measured: Collection[str]) -> list[str]:
    """Return the kinds of latency to show to the user, out of those that were measured, in the order of the tables.

    With heartbeats the first byte is left out: it is usually the answer to one.
    """
    return [kind for kind in LABELS if kind in measured and not (kind == FIRST_BYTE and HEARTBEAT in measured)]


def prefix(kind: str) -> str:
    """Return the prefix that a kind of latency has in the field names of the summary, such as "connect" or "heartbeat_rtt"."""
    return kind.removesuffix("_us").removesuffix("_latency")
