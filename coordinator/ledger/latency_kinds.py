"""Kinds of latency that are told of everything: over all, over time, of each node, of each source address. Pure.

A kind is the name of its histogram.
"""

from __future__ import annotations

from collections.abc import Collection

DUE, ACCEPT = "connect_latency_from_due_us", "accept_delay_us"  # over all, over time and of each node only
CONNECT, FIRST_BYTE, HEARTBEAT = "connect_latency_us", "first_byte_us", "heartbeat_rtt_us"
LABELS = {CONNECT: "connect", FIRST_BYTE: "first byte", HEARTBEAT: "heartbeat"}  # in few words, in this order


def shown(measured: Collection[str]) -> list[str]:
    """Those that people look at: where there are heartbeats, what most servers say first is the answer to one."""
    return [kind for kind in LABELS if kind in measured and not (kind == FIRST_BYTE and HEARTBEAT in measured)]


def prefix(kind: str) -> str:
    """Of the names of its figures."""
    return kind.removesuffix("_us").removesuffix("_latency")
