"""Reconciliation: compares the counts of clients, acceptors and kernels, and names every difference. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from c1m.coordinator.summary.reconciliation import Reconciliation

GHOSTS = (
    "are ghosts: established for the clients, without a socket on the server; its accept queues were too short "
    "(raise net.core.somaxconn and the listener's backlog) or it accepted too slowly"
)
UNFINISHED = (
    "wait in SYN queues: established for the clients, but the server's kernel dropped their last ACK because its accept queues "
    "were full (raise net.core.somaxconn and the listener's backlog); it repeats its SYN-ACK after 1, 3, 7, 15 and 31 s"
)
LOST = (
    "were lost on the way: the server has closed them, but no FIN or RST reached the clients; look for dropped packets "
    "(raise net.core.netdev_max_backlog)"
)
OF_LOST = "on the server's port may be those of lost workers: it is unknown which are, and they could hide as many ghosts"
NOT_OURS = "on the server's port are not c1m's own: no worker has opened them"
QUEUED = "wait in accept queues, and are not known to be held by clients: other programs may have opened them, or closed them"
FULL = "; {count} of its acceptors have no descriptor left (raise ulimit -Hn there)"
HALF_CLOSED = "are half closed: the client has closed them, the server has not"


@dataclass(frozen=True, slots=True)
class Counts:
    """The connections of a run at one moment, as clients, server and kernels count them. None is unknown."""

    client: int  # established, counted by the workers
    client_kernel: int | None  # established, counted by the workers' kernels
    target_open: int | None  # accepted and open, counted by the acceptors
    target_kernel: int | None  # established, counted by the target's kernel
    in_accept_queues: int | None  # of target_kernel, not accepted yet
    client_opened: int | None = None  # ever established, counted by the workers
    accepted: int | None = None  # ever accepted, counted by the acceptors
    half_closed: int | None = None  # counted by the target's kernel: the client has closed, the server has not
    in_syn_queues: int | None = None  # counted by the target's kernel: the last ACK of the handshake is missing
    acceptors_full: int = 0  # acceptors that accept no more
    lost: int = 0  # open on lost workers at their last samples; some may still be open


def reconcile(counts: Counts, unknown: Sequence[str]) -> Reconciliation:
    """Return the differences between the connection counts of all sides, with an explanation in sentences.

    ``unknown``: why counts are None; it becomes part of the explanation.
    """
    explanation = list(unknown)
    gaps: list[int] = []
    if counts.client_kernel is not None:
        gap = counts.client - counts.client_kernel
        gaps.append(abs(gap))
        if gap:
            explanation.append(f"the workers count {counts.client:,} established, their kernels {counts.client_kernel:,}")
    ghosts, unfinished, lost, others = across(counts)
    explanation += sentences(ghosts, unfinished, lost, others, counts)
    if counts.target_kernel is not None and counts.target_open is not None:
        gap = beyond_queues(counts.target_kernel - counts.target_open, counts.in_accept_queues or 0, counts.half_closed or 0)
        gaps.append(abs(gap))
        if gap:
            explanation.append(
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
        explanation=tuple(explanation) or (agreement(counts),),
        awaiting_accept=awaiting_accept(counts),
    )


def beyond_queues(more: int, queued: int, half_closed: int) -> int:
    """Return how many connections accept queues do not explain, of the ``more`` that the kernel has than the acceptors.

    Negative if the kernel has fewer. A connection that its client closed while it waited is in the queue, but not
    established.
    """
    return max(more - queued, 0) + min(more - max(queued - half_closed, 0), 0)


def never_accepted(counts: Counts) -> int | None:
    """Return how many connections were never accepted, whether they are still open or not; None if accepts are not counted."""
    if counts.accepted is None or counts.client_opened is None:
        return None
    return max(counts.client_opened - counts.accepted - (counts.in_accept_queues or 0), 0)


def awaiting_accept(counts: Counts) -> int | None:
    """Return how many connections that clients hold are not accepted, at least; None if the queues are unknown.

    Acceptors count what they have accepted. An endpoint does not: there a queued connection counts as a client's unless it
    is closed again or may belong to another program.
    """
    queued = counts.in_accept_queues
    if queued is None or counts.target_kernel is None:
        return None
    if counts.target_open is not None:
        return max(min(queued, min(counts.client, counts.target_kernel) - counts.target_open), 0)
    foreign = max(counts.target_kernel - counts.client, 0)
    return max(min(queued - foreign - (counts.half_closed or 0), counts.client), 0)


def across(counts: Counts) -> tuple[int | None, int | None, int | None, int | None]:
    """Return the differences between clients and the server's kernel: ghosts, in SYN queues, lost on the way, not ours.

    All are None if the server's kernel is unknown. A connection that was ever accepted is no ghost. An endpoint does not say
    what it accepted; there all missing connections count as ghosts. Connections of other programs on the port can hide as
    many ghosts and lost ones.
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
    """Return how many connections that the server's kernel has and the clients lack may belong to lost workers."""
    return min(max((counts.target_kernel or 0) - counts.client, 0), counts.lost)


def sentences(ghosts: int | None, unfinished: int | None, lost: int | None, others: int | None, counts: Counts) -> list[str]:
    """Return a sentence for each difference between clients and server that is not zero."""
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
    found = [f"{count:,} connections {says}" for count, says in named if count]
    return [f"{not_accepted(counts, waiting)}{full}", *found] if waiting else found


def not_accepted(counts: Counts, waiting: int) -> str:
    """Return a sentence on how many connections the server accepted, and how many wait in its accept queues."""
    missing = max(counts.client - (counts.target_kernel or 0), 0)
    accepted, certain = counts.client - missing - waiting, waiting == counts.in_accept_queues
    return (
        f"the server accepted {'' if certain else 'at most '}{accepted:,} of {counts.client:,} connections that clients hold; "
        f"{'' if certain else 'at least '}{waiting:,} wait in its accept queues"
    )


def agreement(counts: Counts) -> str:
    """Return a sentence that names the sides whose counts are known and agree."""
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
