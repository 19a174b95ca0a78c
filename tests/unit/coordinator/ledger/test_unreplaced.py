"""Which ends of processes nothing made good: two that look alike are two."""

from __future__ import annotations

import signal

from c1m.coordinator.ledger.node_record import NodeRecord
from c1m.measure.phase import Phase
from c1m.measure.reasons import ChildKind, ExitKind, ExitReason
from c1m.measure.sample import Replacement, Sample

FIRST = ExitReason(ExitKind.SIGNALLED, ChildKind.SHARD, (3,), pid=12, number=1, value=signal.SIGKILL)
SECOND = ExitReason(ExitKind.SIGNALLED, ChildKind.SHARD, (3,), pid=12, number=2, value=signal.SIGKILL)


def test_of_two_ends_that_look_alike_one_may_be_replaced() -> None:
    sample = Sample(Phase.HOLDING, exit_reasons=(FIRST, SECOND), replacements=(Replacement(FIRST, 40, None, 250),))

    assert str(FIRST) == str(SECOND)
    assert NodeRecord("worker w:7100", 9, sample=sample).unreplaced == [SECOND]
