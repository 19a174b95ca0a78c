"""Why a node was lost, as a value. Pure. The sentence is made in loss_sentences.py."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from c1m.measure.reasons import ClosingReason


class LossKind(enum.StrEnum):
    """The kinds of reasons for which a node is lost. The values are those of the journal and of the summary."""

    UNKNOWN = "unknown"  # a journal of an earlier c1m has only a sentence
    LEFT = "left"  # the node closes its connections although this coordinator did not ask it to
    SILENT = "silent"
    ENDED = "ended"  # the node ended its samples before the run was over
    UNREACHABLE = "unreachable"  # the connection to the node failed, or a call was not answered
    REFUSED = "refused"  # the node answered a call with an error
    LEASE_OVER = "lease over"  # the node had closed when this coordinator took the run over
    NOT_STARTED = "not started"  # the node had not started when this coordinator took the run over


@dataclass(frozen=True, slots=True)
class CoordinatorPause:
    """A time in which the coordinator did not run."""

    seconds: float
    began_seconds: float | None  # since the start of the run; None: before it


@dataclass(frozen=True, slots=True)
class LossReason:
    """Why a node was lost."""

    kind: LossKind
    detail: str = ""  # UNREACHABLE, REFUSED: the error of the call; UNKNOWN: the whole sentence
    closing: ClosingReason | None = None  # LEFT: why the node closes
    silent_seconds: float = 0.0  # SILENT: for how long
    pause: CoordinatorPause | None = None  # since the newest sample of the node; None: the coordinator ran all the time
