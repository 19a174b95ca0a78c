"""What connection tracking of this network namespace refused: /proc/net/stat/nf_conntrack, a line for each processor."""

from __future__ import annotations

import re

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
