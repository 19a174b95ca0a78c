"""Descriptors: how many connections one process can hold, and what a low limit costs."""

from __future__ import annotations

import resource
from contextlib import suppress
from typing import Final

from c1m.kernel.process_footprint import descriptor_slots, open_descriptors

# What a descriptor table holds beside connections: standard streams, the link, a listener, epolls, the askers of an
# acceptor, files of /proc while they are read, libraries while they are loaded. A shard or an acceptor needs 6 to 12 of
# them at rest, however many siblings its process carries: each closes in its own table what is theirs (thread_host.py).
RESERVE: Final = 64

_CURE: Final = "raise it with ulimit -Hn, LimitNOFILE= in the unit, or docker --ulimit nofile="


def raise_to_hard() -> tuple[int, int]:
    """Raise this process's soft limit of descriptors to the hard one; (soft before, soft now). Never raises.

    Children inherit it. The soft limit is low for the sake of select(), which ends at 1,024.
    """
    before, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # ValueError is EPERM: fs.nr_open was lowered below the hard limit since.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return before, resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def connections_per_table() -> int:
    """How many connections a shard or an acceptor of this node can hold: its limit less RESERVE; 0 when there is none.

    Children inherit the limit, and nothing else that this process has open: what it has opened itself does not count.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(0, soft - RESERVE)


def usable(reserve: int = RESERVE) -> int:
    """How many more descriptors this process can open, with ``reserve`` left over; 0 when there is none.

    Before Linux 6.2 the open ones are not known, and the whole descriptor table, 64 at first, counts as open.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = open_descriptors() or descriptor_slots() or 0
    return max(0, soft - taken - reserve)


def processes(limit: int, wanted: int, reserve: int = RESERVE) -> int:
    """How many processes ``wanted`` connections take at ``limit`` descriptors each. ValueError: none can."""
    each = limit - reserve
    if each < 1:
        allows = f"this machine allows {limit:,} descriptors a process"
        raise ValueError(f"{allows}, which needs {reserve:,} beside its connections; {_CURE}")
    return max(1, -(-wanted // each))


def explain(limit: int, wanted: int, reserve: int = RESERVE) -> str:
    """What this limit means for this many connections, in one sentence. Raises as ``processes`` does."""
    allows = f"this machine allows {limit:,} descriptors a process"
    count = processes(limit, wanted, reserve)
    if count == 1:
        return f"{allows}, so {wanted:,} connections fit into one"
    return f"{allows}, so {wanted:,} connections take {count:,} processes; {_CURE}"
