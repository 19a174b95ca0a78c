"""Traffic of a summary: heartbeats, keepalive, server push, stages, retargets and storms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from .units import Bytes, Count, IfUnknown, Microseconds, Named, Percent, Seconds

NO_ANSWERS = IfUnknown("with --expect none clients do not wait for answers")


@dataclass(frozen=True, slots=True)
class HeartbeatResults:
    """What became of the heartbeats. Except for those sent all is None if clients do not wait for answers."""

    sent: Annotated[Count, "Heartbeats sent."]
    answered: Annotated[Count | None, "Heartbeats answered in time and as expected.", NO_ANSWERS]
    late: Annotated[Count | None, "Answered heartbeats whose answer took longer than half an interval.", NO_ANSWERS]
    missing: Annotated[Count | None, "Heartbeats that were not answered within an interval.", NO_ANSWERS]
    recovered: Annotated[Count | None, "Missing heartbeats that were answered later.", NO_ANSWERS]
    wrong: Annotated[Count | None, "Heartbeats that got an unexpected answer.", NO_ANSWERS]
    cut_off: Annotated[Count | None, "Heartbeats whose connection ended before the answer came.", NO_ANSWERS]
    unasked_bytes: Annotated[Bytes | None, "Bytes that answer no heartbeat.", NO_ANSWERS]
    under_way: Annotated[Count | None, "Heartbeats that wait for their answer.", NO_ANSWERS]


@dataclass(frozen=True, slots=True)
class KeepaliveResults:
    """What TCP's keepalive found."""

    interval_seconds: Annotated[Seconds, "Time between two probes of an idle connection."]
    probes_sent: Annotated[Count | None, "Probes that the kernels of the clients sent, those of other programs included."]
    timed_out: Annotated[Count, "Connections lost because probes or data were not answered."]


@dataclass(frozen=True, slots=True)
class PushResults:
    """What became of the messages that the target pushed."""

    sent: Annotated[Count, "Messages that the target sent."]
    held_back: Annotated[Count, "Messages that were not sent, because the client had not read earlier ones."]
    received: Annotated[Count, "Messages that the clients received."]
    wrong_bytes: Annotated[Bytes, "Received bytes that are neither a pushed message nor an answer."]


@dataclass(frozen=True, slots=True)
class StageSummary:
    """A stage of the schedule, and when it was reached."""

    total: Annotated[Count, "Connections that should be open at its end."]
    within_seconds: Annotated[Seconds, "Time in which the schedule goes there."]
    due_seconds: Annotated[Seconds, "When it should be reached, since the start."]
    reached_seconds: Annotated[
        Seconds | None, "When the last node had reached it, since the start.", IfUnknown("the stage was not reached")
    ]


@dataclass(frozen=True, slots=True)
class RetargetStage:
    """A stage that a retarget added."""

    total: Annotated[Count, "Connections that should be open at its end."]
    within_seconds: Annotated[Seconds, "Time in which the schedule goes there."]


@dataclass(frozen=True, slots=True)
class RetargetSummary:
    """A change of the schedule while the run went on."""

    version: Annotated[int, "The number of the schedule; the one of the start is 1."]
    at_seconds: Annotated[Seconds, "When the new schedule began, since the start."]
    origin: Annotated[Count, "Connections that the schedule asked for then.", Named("from")]
    stages: Annotated[tuple[RetargetStage, ...], "The new stages."]


@dataclass(frozen=True, slots=True)
class StormSummary:
    """A storm: connections that left at one time, and their return."""

    at_seconds: Annotated[Seconds, "When it began, since the start."]
    by: Annotated[str, "Which side closed the connections: clients or target."]
    drop_percent: Annotated[Percent, "The share of connections that it was to drop."]
    return_seconds: Annotated[Seconds | None, "Time over which they return; null if each returns by its backoff."]
    dropped: Annotated[Count, "Connections that left."]
    returned: Annotated[Count, "How many of them came back."]
    forgone: Annotated[Count, "How many of them the schedule no longer asked for."]
    recovery_seconds: Annotated[Seconds | None, "Time until the last one was back.", IfUnknown("not all connections returned")]
    slowest_connect_us: Annotated[
        Microseconds | None, "The longest connect of a returning connection.", IfUnknown("no connection returned")
    ]
    accept_queues: Annotated[
        Mapping[str, Count] | None,
        "Kernel counter of the target's accept queues -> events until the recovery; null if the host was not read.",
    ]
