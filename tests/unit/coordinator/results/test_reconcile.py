"""Reconciliation: every difference has a name, and agreement says who agreed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c1m.coordinator.results.reconciliation import Counts, reconcile


@pytest.mark.parametrize(
    ("counts", "ghosts", "unexplained", "told"),
    [
        (Counts(9, 9, 9, 9, 0), 0, 0, "clients and their kernels, acceptors, the target's kernel agree"),
        (Counts(9, 9, None, None, None), None, 0, "clients and their kernels agree"),  # an endpoint
        (Counts(9, None, None, None, None), None, None, "nothing was compared"),
        (Counts(0, 0, None, None, None), None, 0, "nothing was established"),
        (Counts(9, 9, None, 7, 0), 2, 0, "2 connections are ghosts"),  # an endpoint that is observed
        (Counts(9, 9, 6, 6, 0, client_opened=9, accepted=6), 3, 0, "3 connections are ghosts"),
        (Counts(9, 9, 6, 7, 1, client_opened=9, accepted=6), 2, 0, "2 connections are ghosts"),
        (Counts(9, 9, 6, 6, 0, client_opened=9, accepted=9), 0, 0, "3 connections were lost on the way"),
        (Counts(9, 9, 6, 6, 0, client_opened=10, accepted=8), 2, 0, "1 connections were lost on the way"),
        (Counts(9, 9, 6, 6, 0, client_opened=9, accepted=6, in_syn_queues=1), 2, 0, "1 connections wait in SYN queues"),
        (Counts(9, 9, 9, 9, 0, in_syn_queues=3), 0, 0, "agree"),  # handshakes of others, or of clients who do not know either
        (Counts(9, 9, 7, 9, 2), 0, 0, "the server accepted 7 of 9 connections that clients hold; 2 wait in its accept queues"),
        (Counts(9, 9, 7, 9, 2, acceptors_full=3), 0, 0, "2 wait in its accept queues; 3 of its acceptors have no descriptor"),
        (Counts(9, 9, None, 9, 7), 0, 0, "the server accepted 2 of 9"),  # an endpoint that is observed
        (Counts(9, 9, 9, 9, 0, half_closed=4), 0, 0, "4 connections are half closed"),
        (Counts(9, 9, 9, 11, 6, half_closed=4), 0, 0, "6 connections wait in accept queues"),  # four were closed meanwhile
        (Counts(9, 9, 9, 10, 6, half_closed=4), 0, 1, "the acceptors hold 9 open, the target's kernel 10 established"),
        (Counts(9, 9, 9, 16, 6, half_closed=4), 0, 1, "the acceptors hold 9 open, the target's kernel 16 established"),
        (Counts(9, 8, 9, 9, 0), 0, 1, "the workers count 9"),
        (Counts(9, 9, 8, 9, 0), 0, 1, "the acceptors hold 8"),
        (Counts(9, 9, 11, 11, 0), 0, 0, "2 connections on the server's port are not c1m's own"),
    ],
)
def test_every_difference_has_a_name(counts: Counts, ghosts: int | None, unexplained: int | None, told: str) -> None:
    found = reconcile(counts, [])

    assert (found.ghosts, found.unexplained) == (ghosts, unexplained)
    assert any(told in sentence for sentence in found.explanation), found.explanation


@pytest.mark.parametrize(
    ("counts", "waiting"),
    [
        (Counts(9, 9, 9, 9, 0), 0),
        (Counts(9, 9, 7, 9, 2), 2),
        (Counts(9, 9, 6, 7, 1), 1),  # and two are ghosts, or were lost
        (Counts(9, 9, 9, 11, 2), 0),  # strangers
        (Counts(9, 9, 9, 11, 6, half_closed=4), 0),  # strangers, and closed by their clients
        (Counts(9, 9, 9, 8, 0), 0),
        (Counts(9, 9, 7, None, None), None),
        (Counts(9, 9, None, None, None), None),
        (Counts(9, 9, None, 9, 0), 0),
        (Counts(9, 9, None, 9, 7), 7),
        (Counts(9, 9, None, 12, 7), 4),  # three of the seven may be strangers
        (Counts(9, 9, None, 9, 7, half_closed=2), 5),  # two of the seven may have been closed by their clients
        (Counts(9, 9, None, 12, 3), 0),
    ],
)
def test_what_clients_hold_and_the_server_has_not_accepted_is_not_sound(counts: Counts, waiting: int | None) -> None:
    found = reconcile(counts, [])

    assert found.awaiting_accept == waiting
    if waiting:
        assert not found.sound


SOME = st.integers(0, 20)


@given(st.builds(Counts, SOME, SOME, SOME, SOME, SOME, client_opened=SOME, accepted=SOME, half_closed=SOME, in_syn_queues=SOME))
def test_what_a_client_has_and_the_server_has_not_is_named_in_full(counts: Counts) -> None:
    found = reconcile(counts, [])

    assert counts.target_kernel is not None
    assert found.ghosts is not None
    assert found.lost_on_the_way is not None
    assert found.not_ours is not None
    assert found.in_syn_queues is not None
    assert counts.client - found.ghosts - found.in_syn_queues - found.lost_on_the_way + found.not_ours == counts.target_kernel
