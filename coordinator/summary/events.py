"""The events of a run, in the order in which they happened. The stream has one of these records in each line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Final, Literal, TypeAlias

from c1m.measure.counter import Shown
from c1m.measure.tally import Tally

from .nodes import HostSummary, LossSummary
from .plan import PlanSummary
from .summary import FindingSummary, VerdictName
from .units import Count, Inline, Seconds

SCHEMA: Final = "c1m.events/1"
KIND = "The kind of event."
MOMENT = "When it happened, since the workers were asked to start; null: before that."


@dataclass(frozen=True, slots=True)
class RunEvent:
    """The run exists. It is the first event."""

    event: Annotated[Literal["run"], KIND] = field(default="run", kw_only=True)
    schema: Annotated[str, f"{SCHEMA}, the name of this format."]
    run_id: Annotated[str, "The id of the run."]
    started_at: Annotated[datetime, "When the run started."]
    c1m: Annotated[str, "The version of c1m that recorded it."]
    seed: Annotated[int, "The seed of all random choices."]
    command: Annotated[str, "The command that starts the same run."]


@dataclass(frozen=True, slots=True)
class NodesEvent:
    """All nodes have described themselves."""

    event: Annotated[Literal["nodes"], KIND] = field(default="nodes", kw_only=True)
    at_seconds: Annotated[Seconds | None, MOMENT]
    nodes: Annotated[Mapping[str, HostSummary], "Node -> its host."]


@dataclass(frozen=True, slots=True)
class PlannedEvent:
    """The plan is made."""

    event: Annotated[Literal["planned"], KIND] = field(default="planned", kw_only=True)
    at_seconds: Annotated[Seconds | None, MOMENT]
    plan: Annotated[PlanSummary | None, "The plan in short; null: what was asked for does not fit."]


@dataclass(frozen=True, slots=True)
class BeganEvent:
    """The workers are asked to start."""

    event: Annotated[Literal["began"], KIND] = field(default="began", kw_only=True)
    at_seconds: Annotated[Seconds | None, MOMENT]


@dataclass(frozen=True, slots=True)
class SampleEvent:
    """A node has sent its counts. Those of a target are of the connections that it accepted."""

    event: Annotated[Literal["sample"], KIND] = field(default="sample", kw_only=True)
    at_seconds: Annotated[Seconds | None, MOMENT]
    node: Annotated[str, "The node."]
    phase: Annotated[str, "The phase of the run on the node."]
    open: Annotated[Count, "Connections that the node has open."]
    opened: Annotated[Count, "Connections that it has opened or accepted so far."]
    in_flight: Annotated[Count, "Attempts that have not ended."]
    counts: Annotated[Tally, Inline(shown=Shown.RUN)]
    established: Annotated[Count, "Connections that all workers have open."]


@dataclass(frozen=True, slots=True)
class TurnEvent:
    """The run does something else from now on."""

    event: Annotated[Literal["turn"], KIND] = field(default="turn", kw_only=True)
    at_seconds: Annotated[Seconds | None, MOMENT]
    doing: Annotated[str, "What the run does."]


@dataclass(frozen=True, slots=True)
class SaidEvent:
    """A sentence was shown to the user."""

    event: Annotated[Literal["said"], KIND] = field(default="said", kw_only=True)
    at_seconds: Annotated[Seconds | None, MOMENT]
    sentence: Annotated[str, "The sentence."]


@dataclass(frozen=True, slots=True)
class LostEvent:
    """A node is lost."""

    event: Annotated[Literal["lost"], KIND] = field(default="lost", kw_only=True)
    at_seconds: Annotated[Seconds | None, MOMENT]
    loss: Annotated[LossSummary, "The loss."]


@dataclass(frozen=True, slots=True)
class MovedEvent:
    """Other workers have taken over connections of a lost worker."""

    event: Annotated[Literal["moved"], KIND] = field(default="moved", kw_only=True)
    at_seconds: Annotated[Seconds | None, MOMENT]
    loss: Annotated[LossSummary, "The loss, with what was taken over."]


@dataclass(frozen=True, slots=True)
class FindingEvent:
    """The diagnosis has found a cause of trouble."""

    event: Annotated[Literal["finding"], KIND] = field(default="finding", kw_only=True)
    at_seconds: Annotated[Seconds | None, MOMENT]
    finding: Annotated[FindingSummary, "The cause."]


@dataclass(frozen=True, slots=True)
class ResumedEvent:
    """Another coordinator has taken the run over."""

    event: Annotated[Literal["resumed"], KIND] = field(default="resumed", kw_only=True)
    at_seconds: Annotated[Seconds | None, MOMENT]
    at: Annotated[datetime, "When it took over."]


@dataclass(frozen=True, slots=True)
class OverEvent:
    """No more samples will come."""

    event: Annotated[Literal["over"], KIND] = field(default="over", kw_only=True)
    at_seconds: Annotated[Seconds | None, MOMENT]


@dataclass(frozen=True, slots=True)
class VerdictEvent:
    """The run is judged. It is the last event; a run whose coordinator was killed has none."""

    event: Annotated[Literal["verdict"], KIND] = field(default="verdict", kw_only=True)
    at_seconds: Annotated[Seconds | None, MOMENT]
    verdict: Annotated[VerdictName, "The verdict on the run."]
    exit_code: Annotated[int, "The exit code of c1m-coord run."]


Event: TypeAlias = (
    RunEvent
    | NodesEvent
    | PlannedEvent
    | BeganEvent
    | SampleEvent
    | TurnEvent
    | SaidEvent
    | LostEvent
    | MovedEvent
    | FindingEvent
    | ResumedEvent
    | OverEvent
    | VerdictEvent
)
