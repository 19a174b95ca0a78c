"""Reconciliation: what clients, acceptors and the kernel counted, and a name for every difference. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Counts:
    """The same connections, counted by those who can know; None is unknown."""

    client: int  # established, by the workers
    client_kernel: int | None  # ... by the workers' kernels
    target_open: int | None  # accepted and open, by the acceptors
    target_kernel: int | None  # established, by the target's kernel
    in_accept_queues: int | None  # of those, not accepted yet


@dataclass(frozen=True, slots=True)
class Reconciliation:
    client_established: int
    client_kernel_established: int | None
    target_open: int | None
    kernel_established: int | None
    in_accept_queues: int | None
    ghosts: int | None
    unexplained: int | None
    explanation: tuple[str, ...]

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
    ghosts = None
    if counts.target_kernel is not None:
        ghosts = max(counts.client - counts.target_kernel, 0)
        if ghosts:
            told.append(
                f"{ghosts:,} connections are ghosts: established for the clients, without a socket on the server; "
                f"its accept queues were too short (raise net.core.somaxconn)"
            )
        extra = counts.target_kernel - counts.client
        if extra > 0:
            gaps.append(extra)
            told.append(f"the target's kernel holds {extra:,} established connections that no worker knows of")
    if counts.target_kernel is not None and counts.target_open is not None:
        queued = counts.in_accept_queues or 0
        if queued:
            told.append(f"{queued:,} connections wait in accept queues")
        gap = counts.target_kernel - counts.target_open - queued
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
        ghosts=ghosts,
        unexplained=sum(gaps) if gaps else None,
        explanation=tuple(told) or (agreement(counts),),
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
