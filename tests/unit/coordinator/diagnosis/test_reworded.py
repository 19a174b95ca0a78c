"""Decisions about nodes and processes are the same when every sentence about them says something else."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import replace

import pytest

from c1m.coordinator.diagnosis import conditions
from c1m.coordinator.diagnosis.causes import Cause, diagnose, remaining
from c1m.coordinator.diagnosis.conditions import Lost
from c1m.coordinator.diagnosis.progress import Trouble
from c1m.coordinator.diagnosis.rules import RULES
from c1m.coordinator.ledger import node_loss
from c1m.coordinator.ledger.doing import Role
from c1m.coordinator.ledger.evidence import Evidence
from c1m.coordinator.ledger.loss_reason import LossKind, LossReason
from c1m.coordinator.ledger.node_record import NodeRecord
from c1m.coordinator.run.lost_nodes import has_left
from c1m.coordinator.run.watch import reason_of_error
from c1m.errors import BrokenError, RefusedError
from c1m.measure.phase import Phase
from c1m.measure.reasons import ChildKind, ClosingReason, ExitKind, ExitReason, HaltKind, HaltReason
from c1m.measure.sample import Replacement, Sample

WORKER, TARGET = Evidence("worker w:7100", Role.WORKER), Evidence("target t:7200", Role.TARGET)
KILLED = ExitReason(ExitKind.SIGNALLED, ChildKind.ACCEPTOR, (0,), 12, 1, signal.SIGKILL)
EXITED = ExitReason(ExitKind.EXITED, ChildKind.SHARD, (0,), 12, 1, 1)


@pytest.fixture(autouse=True)
def reworded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """All sentences that are made of reasons say the same."""
    for kind in (ExitReason, HaltReason, ClosingReason):
        monkeypatch.setattr(kind, "__str__", lambda _: "reworded")
    for module in (conditions, node_loss):
        monkeypatch.setattr(module, "loss_sentence", lambda *_: "reworded")
    yield


def causes(*scene: Evidence) -> list[tuple[str, str]]:
    return [(cause.cause, cause.node) for cause in diagnose(scene, set(Trouble))]


def test_the_memory_guard_names_memory() -> None:
    assert causes(replace(WORKER, halted=HaltReason(HaltKind.MEMORY, 1, 2))) == [("memory", WORKER.node)]
    assert causes(replace(WORKER, halted=HaltReason(HaltKind.UNKNOWN, detail="with 1 MB of memory left"))) == []


def test_an_acceptor_that_ended_is_a_cause_and_a_shard_is_none() -> None:
    assert causes(replace(TARGET, exit_reasons=(KILLED,))) == [("acceptor ended", TARGET.node)]
    assert causes(replace(WORKER, exit_reasons=(EXITED,))) == []


def test_processes_that_were_killed_are_evidence_of_a_cgroup_without_memory() -> None:
    by_kernel = replace(TARGET, exit_reasons=(KILLED,), rose={"cgroup_oom_kills": 1})
    by_itself = replace(by_kernel, exit_reasons=(replace(KILLED, kind=ExitKind.EXITED),))

    (killed,), (exited,) = diagnose([by_kernel], set(Trouble)), diagnose([by_itself], set(Trouble))

    assert (killed.cause, exited.cause) == ("killed for memory", "killed for memory")
    assert ("reworded" in killed.evidence, "reworded" in exited.evidence) == (True, False)


@pytest.mark.parametrize("kind", LossKind)
def test_only_a_node_that_left_is_said_to_have_left_and_is_not_asked_to_close(kind: LossKind) -> None:
    (cause,) = diagnose([replace(WORKER, lost=LossReason(kind))], set(Trouble))

    assert cause.cause == "node silent"
    (rule,) = [rule for rule in RULES if rule.says == cause.says]
    assert rule.signs == (Lost(LossKind.LEFT if kind is LossKind.LEFT else None),)
    assert has_left(NodeRecord(WORKER.node, 9, lost=LossReason(kind))) is (kind is LossKind.LEFT)


def test_a_node_that_is_not_lost_has_not_left() -> None:
    assert not has_left(NodeRecord(WORKER.node, 9))


def test_an_error_says_by_its_type_whether_a_node_was_reached() -> None:
    assert reason_of_error(BrokenError("x")).kind is LossKind.UNREACHABLE
    assert reason_of_error(RefusedError("x")).kind is LossKind.REFUSED


def test_a_cause_on_the_target_stands_in_for_those_of_others_whatever_the_node_is_called() -> None:
    full = Cause("acceptor ended", "t", "x", ("x",), "x", role=Role.TARGET)
    unanswered = Cause("SYN unanswered", "w", "x", ("x",), "x", role=Role.WORKER)

    assert remaining([full, unanswered]) == [full]
    assert remaining([replace(full, role=Role.WORKER), unanswered]) == [replace(full, role=Role.WORKER), unanswered]


def test_an_end_is_made_good_by_its_own_replacement() -> None:
    again = replace(EXITED, number=2)
    sample = Sample(Phase.HOLDING, exit_reasons=(EXITED, again), replacements=(Replacement(EXITED, 40, None, 250),))

    assert NodeRecord(WORKER.node, 9, sample=sample).unreplaced == [again]
