"""What a node's host told about a run: its cost in memory, the counters that rose, and what looking took. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from c1m.node import Host

from .cost import Cost, cost
from .ledger import Entry


@dataclass(frozen=True, slots=True)
class Findings:
    """From the first reading of the host to the last one before closing began."""

    cost: Cost = field(default_factory=Cost)
    counters: Mapping[str, int] = field(default_factory=dict)  # name -> events
    levels: Mapping[str, int] = field(default_factory=dict)  # at the last reading
    readings: int = 0
    cost_seconds: float = 0.0  # CPU that the readings took
    unknown: tuple[str, ...] = ()  # what of the kernel's files could not be understood

    def observing(self) -> dict[str, Any]:
        """What it cost to know all this. The slab is by whoever lists descriptors; c1m does not."""
        return {
            "readings": self.readings,
            "cpu_seconds": self.cost_seconds,
            "slab_bytes_of_descriptor_listings": round(self.cost.artefact_bytes),
            "unknown": list(self.unknown),
        }


def find(entry: Entry, connections: int | None, host: Host) -> Findings:
    """``connections`` were established while the last reading was taken."""
    last = entry.history.last
    return Findings(
        cost=cost(entry.history, connections, host.merged_caches),
        counters=entry.history.rose(),
        levels=last.levels if last else {},
        readings=last.number + 1 if last else 0,
        cost_seconds=last.cost_seconds if last else 0.0,
        unknown=last.unknown if last else (),
    )


@dataclass(frozen=True, slots=True)
class Symptom:
    """A counter that stays still in a healthy run, and what it says when it does not."""

    counter: str
    says: str
    cure: str


SYMPTOMS = (
    Symptom(
        "ListenOverflows",
        "accept queues were full {count:,} times, and each time a connection waited for its next SYN or became a ghost",
        "raise net.core.somaxconn ({net.core.somaxconn}) and the listener's backlog, or accept faster",
    ),
    Symptom(
        "TCPReqQFullDoCookies",
        "{count:,} handshakes found the SYN queue full and were answered with cookies, which are how ghosts are made",
        "raise net.core.somaxconn ({net.core.somaxconn}) and the listener's backlog",
    ),
    Symptom(
        "SyncookiesSent",
        "{count:,} handshakes were answered with SYN cookies",
        "raise net.core.somaxconn ({net.core.somaxconn}) and the listener's backlog, or set net.ipv4.tcp_syncookies "
        "({net.ipv4.tcp_syncookies}) to 1 if it is 2, which sends them always",
    ),
    Symptom(
        "TCPReqQFullDrop",
        "{count:,} SYNs found the SYN queue full and were dropped",
        "raise net.ipv4.tcp_max_syn_backlog ({net.ipv4.tcp_max_syn_backlog}) and the listener's backlog",
    ),
    Symptom(
        "softnet_dropped",
        "{count:,} packets were dropped before TCP saw them",
        "raise net.core.netdev_max_backlog ({net.core.netdev_max_backlog}), or pace the run with --rate",
    ),
    Symptom(
        "TCPMemoryPressures",
        "TCP was short of memory {count:,} times",
        "raise net.ipv4.tcp_mem ({net.ipv4.tcp_mem} pages), or find out who leaves data unread",
    ),
    Symptom(
        "TCPAbortOnMemory",
        "{count:,} connections were aborted for want of TCP memory",
        "raise net.ipv4.tcp_mem ({net.ipv4.tcp_mem} pages) or net.ipv4.tcp_max_orphans",
    ),
    Symptom(
        "IPReversePathFilter",
        "{count:,} packets came from where their sender is not expected, and were dropped",
        "set net.ipv4.conf.*.rp_filter to 2 or 0, or route the source addresses back where they come from",
    ),
)


SETTING = re.compile(r"\{([a-z0-9_.]+)\}")


def symptoms(name: str, findings: Findings, host: Host) -> list[str]:
    """A sentence for each counter that rose and should not have, with the limit, the node and the cure."""
    told = []
    for symptom in SYMPTOMS:
        # softnet's columns are 32 bits wide and wrap, and go with their processor: a count that fell says nothing.
        if (events := findings.counters.get(symptom.counter, 0)) > 0:
            cure = SETTING.sub(lambda found: host.facts.get(found[1], "unknown"), symptom.cure)
            told.append(f"{name}: {symptom.says.format(count=events)} ({symptom.counter}); {cure}")
    return told
