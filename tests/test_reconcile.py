"""Reconciliation: every difference has a name, and agreement says who agreed."""

import pytest

from c1m.coordinator.reconcile import Counts, reconcile


@pytest.mark.parametrize(
    ("counts", "ghosts", "unexplained", "told"),
    [
        (Counts(9, 9, 9, 9, 0), 0, 0, "clients and their kernels, acceptors, the target's kernel agree"),
        (Counts(9, 9, None, None, None), None, 0, "clients and their kernels agree"),  # an endpoint
        (Counts(9, None, None, None, None), None, None, "nothing was compared"),
        (Counts(0, 0, None, None, None), None, 0, "nothing was established"),
        (Counts(9, 9, 6, 6, 0), 3, 0, "3 connections are ghosts"),
        (Counts(9, 9, 7, 9, 2), 0, 0, "2 connections wait in accept queues"),
        (Counts(9, 8, 9, 9, 0), 0, 1, "the workers count 9"),
        (Counts(9, 9, 8, 9, 0), 0, 1, "the acceptors hold 8"),
        (Counts(9, 9, 11, 11, 0), 0, 2, "no worker knows of"),
    ],
)
def test_every_difference_has_a_name(counts: Counts, ghosts: int | None, unexplained: int | None, told: str) -> None:
    found = reconcile(counts, [])

    assert (found.ghosts, found.unexplained) == (ghosts, unexplained)
    assert any(told in sentence for sentence in found.explanation)
