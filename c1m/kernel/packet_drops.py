"""What connection tracking of this network namespace refused: /proc/net/stat/nf_conntrack, a line for each processor."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .host import read_text


def parse_conntrack(text: str) -> dict[str, int]:
    """Column -> its sum over the processors; columns are hexadecimal. Raises ValueError for text of another form.

    ``entries`` is the whole table's on each line, so that its sum means nothing.
    """
    header, *lines = text.splitlines() or [""]
    names, rows = header.split(), [line.split() for line in lines]
    for row in rows or [[]]:
        if len(row) != len(names) or not all(re.fullmatch("[0-9a-f]{8,16}", word) for word in row):
            raise ValueError(f"{' '.join(row)[:200]!r} is not a line of nf_conntrack, which is hexadecimal columns")
    return {name: sum(int(row[column], 16) for row in rows) for column, name in enumerate(names)}


def read_conntrack() -> dict[str, int] | None:
    """None without connection tracking in the kernel."""
    text = read_text("/proc/net/stat/nf_conntrack")
    return None if text is None else parse_conntrack(text)


@dataclass(frozen=True, slots=True)
class Softnet:
    """Over all processors and all network namespaces. Each column is 32 bits wide, and wraps."""

    processed: int
    dropped: int  # the queue was longer than net.core.netdev_max_backlog: loopback and RPS only
    squeezed: int  # times that a processor had to leave packets for later


def parse_softnet(text: str) -> Softnet:
    """Raises ValueError for lines of another form. Kernels add columns; the first three have been there since 2.6."""
    rows = [line.split() for line in text.splitlines()]
    for row in rows or [[]]:
        if len(row) < 3 or not all(re.fullmatch("[0-9a-f]{8}", word) for word in row):
            raise ValueError(f"{' '.join(row)[:200]!r} is not a line of softnet_stat, which is hexadecimal columns")
    processed, dropped, squeezed = (sum(int(row[column], 16) for row in rows) for column in range(3))
    return Softnet(processed, dropped, squeezed)


def read_softnet() -> Softnet | None:
    text = read_text("/proc/net/softnet_stat")
    return None if text is None else parse_softnet(text)
