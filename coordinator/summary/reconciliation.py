"""The counts of clients, acceptors and kernels at one moment, and the names of their differences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from .units import Count, IfUnknown, Inline, Seconds


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The counts of all sides, and their differences by name. None is unknown."""

    client_established: Annotated[Count, "Established connections by the count of the workers."]
    client_kernel_established: Annotated[Count | None, "Established connections by the count of the workers' kernels."]
    target_open: Annotated[Count | None, "Accepted and open connections by the count of the acceptors."]
    kernel_established: Annotated[Count | None, "Established connections by the count of the target's kernel."]
    in_accept_queues: Annotated[Count | None, "Connections of the target's kernel that are not accepted yet."]
    in_syn_queues: Annotated[Count | None, "Connections that clients hold and that have no socket on the server yet."]
    half_closed: Annotated[Count | None, "Connections that the client has closed and the server has not."]
    ghosts: Annotated[Count | None, "Connections that clients hold and that never had a socket on the server."]
    lost_on_the_way: Annotated[Count | None, "Connections that the server has closed without the client learning of it."]
    not_ours: Annotated[Count | None, "Connections on the server's port that belong to no worker."]
    never_accepted: Annotated[Count | None, "Connections of the whole run that were established but never accepted."]
    unexplained: Annotated[Count | None, "The sum of the differences that have no name."]
    explanation: Annotated[tuple[str, ...], "A sentence for each difference, or on what agrees."]
    awaiting_accept: Annotated[Count | None, "Connections of clients that wait in accept queues, at least."] = None

    @property
    def sound(self) -> bool:
        """Whether the server has accepted and holds every connection that a client holds, and every count is explained."""
        return not (self.ghosts or self.in_syn_queues or self.awaiting_accept or self.lost_on_the_way or self.unexplained)


@dataclass(frozen=True, slots=True)
class Probed:
    """A sample of connections that was probed for ghosts."""

    connections: Annotated[Count, "Connections whose probe was answered."]
    ghosts: Annotated[Count, "How many of them the server's kernel does not know."]


@dataclass(frozen=True, slots=True)
class RestReconciliation:
    """The counts of all sides while the schedule stood still."""

    begin_seconds: Annotated[Seconds, "When the schedule stopped changing, since the start."]
    end_seconds: Annotated[Seconds, "When it changes again, since the start."]
    total: Annotated[Count, "Connections that the schedule asked for."]
    counts: Annotated[Reconciliation, Inline()]


@dataclass(frozen=True, slots=True)
class ReconciliationSummary:
    """The counts of all sides at the end of the hold, at the end of the ramp and at rests of the schedule."""

    at_hold_end: Annotated[Reconciliation, Inline()]
    at_ramp_end: Annotated[
        Reconciliation | None,
        "The counts at the end of the ramp.",
        IfUnknown("no counts were compared when the ramp ended"),
    ]
    widest_gap_through_hold: Annotated[
        Count | None, "The largest difference between clients and acceptors in the samples of the hold."
    ]
    at_rests: Annotated[
        tuple[RestReconciliation, ...],
        "The counts at rests of the schedule before its end.",
        IfUnknown("the schedule never stood still for long enough to compare"),
    ]
    probed: Annotated[
        Probed | None,
        "Connections that were probed at the end of the hold.",
        IfUnknown("no connection was probed; that takes --probe-ghosts"),
    ]
