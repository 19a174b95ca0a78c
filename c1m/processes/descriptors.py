"""Descriptor limits: how many connections one process can hold, and how many processes a low limit requires."""

from __future__ import annotations

import resource
from contextlib import suppress
from typing import Final

from c1m.kernel.process_footprint import descriptor_slots, open_descriptors

# Descriptors of a table that are not the run's connections: standard streams, the link, a listener, epolls, workers that ask an
# acceptor for its proof, files of /proc while they are read, libraries while they are loaded. A shard or an acceptor needs 6 to
# 12 of them at rest, whatever the number of siblings in its process: each closes its siblings' descriptors in its own table
# (thread_host.py).
RESERVE: Final = 64

_CURE: Final = "raise it with ulimit -Hn, LimitNOFILE= in the unit, or docker --ulimit nofile="


def raise_to_hard() -> tuple[int, int]:
    """Raise this process's soft descriptor limit to the hard one. Returns (soft before, soft now). Never raises.

    Children inherit the limit. The soft limit is low by default because select() supports only 1,024 descriptors.
    """
    before, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # ValueError means EPERM: fs.nr_open has been lowered below the hard limit.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return before, resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def connections_per_table() -> int:
    """Return how many connections a shard or an acceptor of this node can hold: the limit less RESERVE, at least 0.

    Descriptors that this process has open do not count: children inherit the limit, but not the descriptors.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(0, soft - RESERVE)


def usable(reserve: int = RESERVE) -> int:
    """Return how many more descriptors this process can open while ``reserve`` are left over, at least 0.

    Before Linux 6.2 the number of open descriptors is unknown. Then the size of the descriptor table, 64 at first, is used.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = open_descriptors() or descriptor_slots() or 0
    return max(0, soft - taken - reserve)


def processes(limit: int, wanted: int, reserve: int = RESERVE) -> int:
    """Return how many processes ``wanted`` connections need with ``limit`` descriptors each.

    Raises ValueError if the limit is too low for any connection.
    """
    each = limit - reserve
    if each < 1:
        allows = f"this machine allows {limit:,} descriptors a process"
        raise ValueError(f"{allows}, which needs {reserve:,} in addition to its connections; {_CURE}")
    return max(1, -(-wanted // each))


def explain(limit: int, wanted: int, reserve: int = RESERVE) -> str:
    """Return a sentence that says how many processes ``wanted`` connections need under a descriptor limit.

    Raises ValueError if the limit is too low for any connection.
    """
    allows = f"this machine allows {limit:,} descriptors a process"
    count = processes(limit, wanted, reserve)
    if count == 1:
        return f"{allows}, so {wanted:,} connections fit into one"
    return f"{allows}, so {wanted:,} connections take {count:,} processes; {_CURE}"
