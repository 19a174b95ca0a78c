"""Reconciliation: what clients, acceptors and the kernel counted, and a name for every difference. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

GHOSTS = (
    "are ghosts: established for the clients, without a socket on the server; its accept queues were too short "
    "(raise net.core.somaxconn and the listener's backlog) or it accepted too slowly"
)
UNFINISHED = (
    "wait in SYN queues: established for the clients, whose last ACK the server's kernel dropped, since its accept queues were "
    "full (raise net.core.somaxconn and the listener's backlog); it sends its SYN-ACK again, after 1, 3, 7, 15 and 31 s"
)
LOST = (
    "were lost on the way: the server has closed them, and neither FIN nor RST of it reached the clients; look for dropped "
    "packets (raise net.core.netdev_max_backlog)"
)
OF_LOST = (
    "on the server's port may be those of workers that were lost: nobody knows which, and as many ghosts would not show "
    "beside them"
)
NOT_OURS = "on the server's port are not c1m's own: no worker has them"
QUEUED = "wait in accept queues, and are not known to be held by clients: those may be others', or closed again"
FULL = "; {count} of its acceptors have no descriptor left (raise ulimit -Hn there)"
HALF_CLOSED = "are half closed: the other side has closed them, the server has not"


@dataclass(frozen=True, slots=True)
class Counts:
    """The same connections, counted by those who can know; None is unknown."""

    client: int  # established, by the workers
    client_kernel: int | None  # ... by the workers' kernels
    target_open: int | None  # accepted and open, by the acceptors
    target_kernel: int | None  # established, by the target's kernel
    in_accept_queues: int | None  # of those, not accepted yet
    client_opened: int | None = None  # ever established, by the workers
    accepted: int | None = None  # ever, by the acceptors
    half_closed: int | None = None  # by the target's kernel: the client has closed, the server has not
    in_syn_queues: int | None = None  # by the target's kernel, which waits for the last ACK of the handshake
    acceptors_full: int = 0  # acceptors that take no more
    lost: int = 0  # open on workers that were lost, when they were last heard: some may still be


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """``ghosts`` never had a socket on the server, ``in_syn_queues`` have none yet; ``lost_on_the_way`` had one, and its end
    never reached the client.

    ``not_ours`` are on the server's port, and no worker's. All four are None where nobody can tell.
    """

    client_established: int
    client_kernel_established: int | None
    target_open: int | None
    kernel_established: int | None
    in_accept_queues: int | None
    in_syn_queues: int | None  # of those that clients hold
    half_closed: int | None
    ghosts: int | None
    lost_on_the_way: int | None
    not_ours: int | None
    never_accepted: int | None  # of all connections of the run: established for the clients, and not for the acceptors
    unexplained: int | None
    explanation: tuple[str, ...]
    awaiting_accept: int | None = None  # at least so many that clients hold are in accept queues; None: the queues are unknown

    @property
    def sound(self) -> bool:
        """Whether the server has accepted and holds every connection that a client holds, and every count is explained."""
        return not (self.ghosts or self.in_syn_queues or self.awaiting_accept or self.lost_on_the_way or self.unexplained)

    def to_summary(self) -> dict[str, Any]:
        return asdict(self) | {"explanation": list(self.explanation)}


def reconcile(counts: Counts, unknown: Sequence[str]) -> Reconciliation:
    """``unknown`` says why something is None; it becomes part of the explanation."""
    told = list(unknown)
    gaps: list[int] = []
    if counts.client_kernel is not None:
        gap = counts.client - counts.client_kernel
        gaps.append(abs(gap))
        if gap:
            told.append(f"the workers count {counts.client:,} established, their kernels {counts.client_kernel:,}")
    ghosts, unfinished, lost, others = across(counts)
    told += sentences(ghosts, unfinished, lost, others, counts)
    if counts.target_kernel is not None and counts.target_open is not None:
        gap = beyond_queues(counts.target_kernel - counts.target_open, counts.in_accept_queues or 0, counts.half_closed or 0)
        gaps.append(abs(gap))
        if gap:
            told.append(
                f"the acceptors hold {counts.target_open:,} open, the target's kernel {counts.target_kernel:,} established"
            )
    return Reconciliation(
        client_established=counts.client,
        client_kernel_established=counts.client_kernel,
        target_open=counts.target_open,
        kernel_established=counts.target_kernel,
        in_accept_queues=counts.in_accept_queues,
        in_syn_queues=unfinished,
        half_closed=counts.half_closed,
        ghosts=ghosts,
        lost_on_the_way=lost,
        not_ours=others,
        never_accepted=never_accepted(counts),
        unexplained=sum(gaps) if gaps else None,
        explanation=tuple(told) or (agreement(counts),),
        awaiting_accept=awaiting_accept(counts),
    )


def beyond_queues(more: int, queued: int, half_closed: int) -> int:
    """What accept queues do not explain of how many more the kernel has established than acceptors have open.

    One that its client closed while it waited is in the queue, and not established.
    """
    return max(more - queued, 0) + min(more - max(queued - half_closed, 0), 0)


def never_accepted(counts: Counts) -> int | None:
    """Ghosts, and those that were ones until they ended; None where nobody counts accepts."""
    if counts.accepted is None or counts.client_opened is None:
        return None
    return max(counts.client_opened - counts.accepted - (counts.in_accept_queues or 0), 0)


def awaiting_accept(counts: Counts) -> int | None:
    """Connections that clients hold and the server has not accepted, as far as they cannot be anybody else's.

    Where acceptors count, it is what they lack. An endpoint does not say what it accepted: there all are taken for the
    clients' that are neither closed again nor possibly others'. None where the queues are unknown.
    """
    queued = counts.in_accept_queues
    if queued is None or counts.target_kernel is None:
        return None
    if counts.target_open is not None:
        return max(min(queued, min(counts.client, counts.target_kernel) - counts.target_open), 0)
    foreign = max(counts.target_kernel - counts.client, 0)
    return max(min(queued - foreign - (counts.half_closed or 0), counts.client), 0)


def across(counts: Counts) -> tuple[int | None, int | None, int | None, int | None]:
    """Ghosts, in SYN queues, lost on the way, not ours: the difference between the clients and the server's kernel, told apart.

    A connection that was ever accepted is no ghost. An endpoint does not say what it accepted; there all are taken for
    ghosts. Others' connections on the port can hide as many of both, if there are any.
    """
    if counts.target_kernel is None:
        return None, None, None, None
    missing = max(counts.client - counts.target_kernel, 0)
    others = max(counts.target_kernel - counts.client - of_lost(counts), 0)
    never = never_accepted(counts)
    without = missing if never is None else min(missing, never)
    unfinished = min(without, counts.in_syn_queues or 0)
    return without - unfinished, unfinished, missing - without, others


def of_lost(counts: Counts) -> int:
    """Connections that the server's kernel has beyond the clients', as far as lost workers may have them."""
    return min(max((counts.target_kernel or 0) - counts.client, 0), counts.lost)


def sentences(ghosts: int | None, unfinished: int | None, lost: int | None, others: int | None, counts: Counts) -> list[str]:
    waiting = awaiting_accept(counts) or 0
    full = FULL.format(count=counts.acceptors_full) if counts.acceptors_full else ""
    named = (
        (ghosts, GHOSTS),
        (unfinished, UNFINISHED),
        (lost, LOST),
        (of_lost(counts), OF_LOST),
        (others, NOT_OURS),
        ((counts.in_accept_queues or 0) - waiting, f"{QUEUED}{full}"),
        (counts.half_closed, HALF_CLOSED),
    )
    told = [f"{count:,} connections {says}" for count, says in named if count]
    return [f"{not_accepted(counts, waiting)}{full}", *told] if waiting else told


def not_accepted(counts: Counts, waiting: int) -> str:
    missing = max(counts.client - (counts.target_kernel or 0), 0)
    accepted, certain = counts.client - missing - waiting, waiting == counts.in_accept_queues
    return (
        f"the server accepted {'' if certain else 'at most '}{accepted:,} of {counts.client:,} connections that clients hold; "
        f"{'' if certain else 'at least '}{waiting:,} wait in its accept queues"
    )


def agreement(counts: Counts) -> str:
    """Who was asked and said the same: an endpoint's own count is nobody's to ask."""
    others = {
        "their kernels": counts.client_kernel,
        "acceptors": counts.target_open,
        "the target's kernel": counts.target_kernel,
    }
    asked = [name for name, known in others.items() if known is not None]
    if not asked:
        return "nothing was compared: only the clients could count"
    if not counts.client:
        return f"clients and {', '.join(asked)} agree that nothing was established"
    return f"clients and {', '.join(asked)} agree"
