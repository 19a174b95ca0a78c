"""The sentences on how processes ended, why a node opens no more connections, and why it closes."""

from __future__ import annotations

import signal

import pytest

from c1m.measure.reasons import ChildKind, ClosingKind, ClosingReason, ExitKind, ExitReason, HaltKind, HaltReason


def of_shards(kind: ExitKind, *indices: int, value: int = 0, detail: str = "", not_replaced: str = "") -> ExitReason:
    return ExitReason(kind, ChildKind.SHARD, indices, 12, 1, value, detail, not_replaced)


SENTENCES: list[tuple[ExitReason | HaltReason | ClosingReason, str]] = [
    (of_shards(ExitKind.FAILED, 3, detail="ValueError: no"), "shard 3 (pid 12) failed: ValueError: no"),
    (of_shards(ExitKind.SIGNALLED, 3, value=signal.SIGKILL), "shard 3 (pid 12) was killed by SIGKILL"),
    (of_shards(ExitKind.SIGNALLED, 3, 4, 5, value=signal.SIGSEGV), "shard 3 and 2 more (pid 12) were killed by SIGSEGV"),
    (of_shards(ExitKind.SIGNALLED, 3, value=250), "shard 3 (pid 12) was killed by signal 250"),
    (of_shards(ExitKind.EXITED, 3, value=1), "shard 3 (pid 12) exited with status 1"),
    (of_shards(ExitKind.LINK_CLOSED, 3), "shard 3 (pid 12) closed its link"),
    (of_shards(ExitKind.TOOK_NO_ORDER, 3, value=5), "shard 3 (pid 12) accepted no order for 5 s, and was killed"),
    (of_shards(ExitKind.IDLE, 3, value=5), "shard 3 (pid 12) was idle for 5 s instead of closing, and was killed"),
    (of_shards(ExitKind.GIVEN_UP, 3, 4, value=4), "shard 3, shard 4 ended for the 4th time; its share is given up"),
    (
        of_shards(ExitKind.EXITED, 3, value=1, not_replaced="no memory"),
        "shard 3 (pid 12) exited with status 1, and could not be replaced: no memory",
    ),
    (ExitReason(ExitKind.UNKNOWN, detail="it ended"), "it ended"),
    (
        HaltReason(HaltKind.MEMORY, 100 << 20, 256 << 20),
        "stopped opening with 105 MB of memory left, the floor is 268 MB; ask for fewer connections, or add memory",
    ),
    (HaltReason(HaltKind.UNKNOWN, detail="it stopped"), "it stopped"),
    (ClosingReason(ClosingKind.ASKED), "it was asked to"),
    (ClosingReason(ClosingKind.UNPREPARED), "it could not be prepared"),
    (ClosingReason(ClosingKind.LEAVING), "it is shutting down"),
    (ClosingReason(ClosingKind.LEASE_OVER, 3.0), "its lease of 3 s ended"),
    (ClosingReason(ClosingKind.LEASE_OVER, 3.0, node_stopped=True), "its lease of 3 s ended while this node was stopped"),
    (ClosingReason(ClosingKind.UNKNOWN, detail="it closes"), "it closes"),
]


@pytest.mark.parametrize(("reason", "sentence"), SENTENCES)
def test_a_reason_has_a_sentence(reason: ExitReason | HaltReason | ClosingReason, sentence: str) -> None:
    assert str(reason) == sentence
