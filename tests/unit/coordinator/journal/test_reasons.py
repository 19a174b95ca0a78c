"""Reasons in a journal: values come back as they were, and what an earlier c1m wrote as sentences still opens."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from c1m.coordinator.diagnosis.causes import Cause
from c1m.coordinator.diagnosis.diagnosis import Finding
from c1m.coordinator.journal.codec import from_plain, to_json
from c1m.coordinator.journal.replay import UnpackedRecord, loss_reason
from c1m.coordinator.ledger.doing import Role
from c1m.coordinator.ledger.loss_reason import CoordinatorPause, LossKind, LossReason
from c1m.coordinator.ledger.loss_sentences import loss_sentence
from c1m.measure.reasons import ClosingKind, ClosingReason

NODE = "worker w:7100"
OLD = f"{NODE} closed what it had of the run: its lease of 3 s ended"


@pytest.mark.parametrize("kind", LossKind)
@pytest.mark.parametrize("pause", [None, CoordinatorPause(3.5, None), CoordinatorPause(3.5, 12.0)])
def test_why_a_node_was_lost_comes_back_from_a_journal(kind: LossKind, pause: CoordinatorPause | None) -> None:
    reason = LossReason(kind, "it did not answer", ClosingReason(ClosingKind.LEASE_OVER, 3.0), 4.5, pause)

    assert loss_reason(UnpackedRecord(0.0, "lost", NODE, to_json(reason))) == reason


def test_a_sentence_of_an_earlier_journal_is_shown_as_it_was() -> None:
    reason = loss_reason(UnpackedRecord(0.0, "lost", NODE, json.dumps(OLD).encode()))

    assert reason == LossReason(LossKind.UNKNOWN, OLD)
    assert loss_sentence(NODE, reason) == OLD


@pytest.mark.parametrize(("node", "role"), [(NODE, Role.WORKER), ("target t:7200", Role.TARGET), ("the run", None)])
def test_a_cause_of_an_earlier_journal_gets_the_role_of_its_node(node: str, role: Role | None) -> None:
    finding = Finding(Cause("CPU", node, "its processes get no CPU", ("x",), "add workers", role=role), 3.0)
    earlier = {"cause": {name: value for name, value in asdict(finding.cause).items() if name != "role"}, "at_seconds": 3.0}

    assert from_plain(json.loads(json.dumps(earlier)), Finding) == finding
    assert from_plain(json.loads(to_json(finding)), Finding) == finding
