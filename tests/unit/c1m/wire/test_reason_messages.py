"""Reasons on the wire come back as they were; of an earlier c1m and of unknown kinds the sentences are kept."""

from __future__ import annotations

import signal

import pytest

from c1m.measure.phase import Phase
from c1m.measure.reasons import ChildKind, ClosingKind, ClosingReason, ExitKind, ExitReason, HaltKind, HaltReason
from c1m.measure.sample import Replacement, Sample
from c1m.v1 import node_pb2
from c1m.wire.node_messages import sample_from_wire, sample_to_wire

KILLED = ExitReason(ExitKind.SIGNALLED, ChildKind.ACCEPTOR, (3, 5), pid=12, number=1, value=signal.SIGKILL)
NOT_REPLACED = ExitReason(ExitKind.FAILED, ChildKind.SHARD, (0,), 13, 2, detail="ValueError: no", not_replaced="no memory")
EVERYTHING = Sample(
    Phase.CLOSING,
    exit_reasons=(KILLED, NOT_REPLACED),
    replacements=(Replacement(KILLED, 40, None, 250),),
    halted=HaltReason(HaltKind.MEMORY, 100, 200),
    closing_reason=ClosingReason(ClosingKind.LEASE_OVER, 3.0, node_stopped=True),
)


def there_and_back(sample: Sample) -> Sample:
    return sample_from_wire(node_pb2.Sample.FromString(sample_to_wire(sample).SerializeToString()))


def test_reasons_come_back_as_they_were() -> None:
    assert there_and_back(EVERYTHING) == EVERYTHING


@pytest.mark.parametrize("kind", [kind for kind in ExitKind if kind])
def test_every_end_of_a_process_comes_back(kind: ExitKind) -> None:
    sample = Sample(Phase.HOLDING, exit_reasons=(ExitReason(kind, ChildKind.SHARD, (1,), 12, 1, 9, "why"),))

    assert there_and_back(sample) == sample


@pytest.mark.parametrize("kind", [kind for kind in ClosingKind if kind])
def test_every_closing_comes_back(kind: ClosingKind) -> None:
    sample = Sample(Phase.CLOSING, closing_reason=ClosingReason(kind, 3.0))

    assert there_and_back(sample) == sample


def test_what_a_node_does_not_say_has_no_reason() -> None:
    found = there_and_back(Sample(Phase.HOLDING))

    assert (found.exit_reasons, found.halted, found.closing_reason) == ((), None, None)


def test_of_an_earlier_version_the_sentences_are_kept() -> None:
    message = node_pb2.Sample(
        phase=node_pb2.PHASE_CLOSING,
        exit_reasons=["shard 3 (pid 12) was killed by SIGKILL"],
        replacements=[node_pb2.Replacement(exit_reason="shard 3 (pid 12) was killed by SIGKILL", connections=40)],
        halted="stopped opening with 100 MiB of memory left",
        closing_reason="its lease of 3 s ended",
    )

    found = sample_from_wire(message)

    assert found.exit_reasons == (found.replacements[0].exit_reason,)
    assert found.exit_reasons[0].kind is ExitKind.UNKNOWN
    assert [str(each) for each in (*found.exit_reasons, found.halted, found.closing_reason)] == [
        "shard 3 (pid 12) was killed by SIGKILL",
        "stopped opening with 100 MiB of memory left",
        "its lease of 3 s ended",
    ]


def test_of_a_kind_that_a_later_version_may_send_the_sentence_is_kept() -> None:
    message = sample_to_wire(EVERYTHING)
    message.exits[0].kind = message.halt.kind = message.closing.kind = 99  # type: ignore[assignment]

    found = sample_from_wire(message)

    assert found.exit_reasons == (ExitReason(ExitKind.UNKNOWN, KILLED.child, (3, 5), 12, 1, 9, str(KILLED)), NOT_REPLACED)
    assert found.halted == HaltReason(HaltKind.UNKNOWN, detail=str(EVERYTHING.halted))
    assert found.closing_reason == ClosingReason(ClosingKind.UNKNOWN, detail=str(EVERYTHING.closing_reason))
