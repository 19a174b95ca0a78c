"""Counts packets dropped before TCP saw them, by connection tracking (nf_conntrack) and by the CPUs (softnet_stat)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .host import read_text


def parse_conntrack(text: str) -> dict[str, int]:
    """Parse /proc/net/stat/nf_conntrack, a line for each CPU, into {column: sum}. Raises ValueError for another form.

    Columns are hexadecimal. ``entries`` is the size of the whole table on every line, so its sum is meaningless.
    """
    header, *lines = text.splitlines() or [""]
    names, rows = header.split(), [line.split() for line in lines]
    for row in rows or [[]]:
        if len(row) != len(names) or not all(re.fullmatch("[0-9a-f]{8,16}", word) for word in row):
            raise ValueError(f"{' '.join(row)[:200]!r} is not a line of nf_conntrack, which is hexadecimal columns")
    return {name: sum(int(row[column], 16) for row in rows) for column, name in enumerate(names)}


def read_conntrack() -> dict[str, int] | None:
    """Return the connection tracking counters of this network namespace as {column: sum over the CPUs}.

    None if the kernel has no connection tracking.
    """
    text = read_text("/proc/net/stat/nf_conntrack")
    return None if text is None else parse_conntrack(text)


@dataclass(frozen=True, slots=True)
class Softnet:
    """Counts of received packets (processed, dropped, squeezed) over all CPUs and network namespaces.

    Each CPU's count is 32 bits wide and wraps.
    """

    processed: int
    dropped: int  # the queue was longer than net.core.netdev_max_backlog: loopback and RPS only
    squeezed: int  # times that a CPU used up its budget and left packets for later


def parse_softnet(text: str) -> Softnet:
    """Return the packet counts, summed over the CPUs, in the text of /proc/net/softnet_stat.

    Raises ValueError for lines of another form. Kernels have added columns over time; the first three have been there since
    2.6.
    """
    rows = [line.split() for line in text.splitlines()]
    for row in rows or [[]]:
        if len(row) < 3 or not all(re.fullmatch("[0-9a-f]{8}", word) for word in row):
            raise ValueError(f"{' '.join(row)[:200]!r} is not a line of softnet_stat, which is hexadecimal columns")
    processed, dropped, squeezed = (sum(int(row[column], 16) for row in rows) for column in range(3))
    return Softnet(processed, dropped, squeezed)


def read_softnet() -> Softnet | None:
    """Return this machine's counts of received packets (processed, dropped, squeezed) since boot.

    None if softnet_stat cannot be read.
    """
    text = read_text("/proc/net/softnet_stat")
    return None if text is None else parse_softnet(text)
