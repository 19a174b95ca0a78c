"""Reconciliation: every difference has a name, and agreement says who agreed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c1m.coordinator.results.reconciliation import Counts, reconcile
from c1m.coordinator.summary.codec import to_plain


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


AGREED = Counts(9, 9, 9, 9, 0, client_opened=9, accepted=9)


@pytest.mark.parametrize(
    ("counts", "field"),
    [
        (Counts(9, 9, 6, 6, 0, client_opened=9, accepted=6), "ghosts"),
        (Counts(9, 9, 6, 6, 0, client_opened=9, accepted=6, in_syn_queues=3), "in_syn_queues"),
        (Counts(9, 9, 6, 6, 0, client_opened=9, accepted=9), "lost_on_the_way"),
        (Counts(9, 9, 7, 9, 2, client_opened=9, accepted=7), "awaiting_accept"),
        (Counts(9, 8, 9, 9, 0, client_opened=9, accepted=9), "unexplained"),
    ],
)
def test_one_difference_alone_is_enough_for_a_run_not_to_be_sound(counts: Counts, field: str) -> None:
    found = reconcile(counts, [])

    fields = ("ghosts", "in_syn_queues", "lost_on_the_way", "awaiting_accept", "unexplained")
    assert [name for name in fields if getattr(found, name)] == [field]
    assert not found.sound


@pytest.mark.parametrize(
    "counts",
    [
        AGREED,
        Counts(9, None, None, None, None),  # nothing is known, so nothing is wrong
        Counts(9, 9, 9, 11, 2, client_opened=9, accepted=9),  # strangers
        Counts(9, 9, 9, 9, 0, client_opened=9, accepted=9, half_closed=4),
    ],
)
def test_strangers_and_what_clients_closed_leave_a_run_sound(counts: Counts) -> None:
    assert reconcile(counts, []).sound


def test_every_count_is_in_the_summary_under_its_own_name() -> None:
    counts = Counts(20, 19, 11, 13, 2, client_opened=30, accepted=22, half_closed=5, in_syn_queues=3, acceptors_full=1, lost=7)

    summary = to_plain(reconcile(counts, ["a kernel could not be asked"]))

    told = summary.pop("explanation")
    assert summary == {
        "client_established": 20,
        "client_kernel_established": 19,
        "target_open": 11,
        "kernel_established": 13,
        "in_accept_queues": 2,
        "in_syn_queues": 3,
        "half_closed": 5,
        "ghosts": 3,
        "lost_on_the_way": 1,
        "not_ours": 0,
        "never_accepted": 6,
        "unexplained": 1,
        "awaiting_accept": 2,
    }
    assert [text.partition(":")[0].partition(";")[0] for text in told] == [
        "a kernel could not be asked",
        "the workers count 20 established, their kernels 19",
        "the server accepted 11 of 20 connections that clients hold",
        "3 connections are ghosts",
        "3 connections wait in SYN queues",
        "1 connections were lost on the way",
        "5 connections are half closed",
    ]
    assert told[2].endswith(
        "; 2 wait in its accept queues; 1 of its acceptors have no descriptor left (raise ulimit -Hn there)"
    )


@pytest.mark.parametrize(
    ("client", "kernel", "lost", "not_ours", "may_be_lost"),
    [
        (9, 12, 0, 3, 0),
        (9, 12, 2, 1, 2),
        (9, 12, 3, 0, 3),
        (9, 12, 50, 0, 3),  # no more than there are
        (9, 9, 5, 0, 0),
        (9, 7, 5, 0, 0),  # the kernel has fewer: none of them can be a lost worker's
    ],
)
def test_connections_of_lost_workers_are_not_called_strangers(
    client: int, kernel: int, lost: int, not_ours: int, may_be_lost: int
) -> None:
    found = reconcile(Counts(client, client, None, kernel, 0, lost=lost), [])

    told = [text for text in found.explanation if "may be those of lost workers" in text]
    assert found.not_ours == not_ours
    unknown = "it is unknown which are, and they could hide as many ghosts"
    told_then = f"{may_be_lost} connections on the server's port may be those of lost workers: {unknown}"
    assert told == [told_then] * bool(may_be_lost)


@pytest.mark.parametrize(
    ("counts", "never"),
    [
        (Counts(9, 9, 6, 7, 1, client_opened=12, accepted=8), 3),  # the queued one is still to be accepted
        (Counts(9, 9, 6, 7, None, client_opened=12, accepted=8), 4),
        (Counts(9, 9, 9, 9, 5, client_opened=9, accepted=9), 0),
        (Counts(9, 9, 9, 9, 0, client_opened=9), None),
        (Counts(9, 9, 9, 9, 0, accepted=9), None),
    ],
)
def test_what_was_never_accepted_is_counted_over_the_whole_run(counts: Counts, never: int | None) -> None:
    assert reconcile(counts, []).never_accepted == never


def test_what_may_have_been_accepted_is_told_as_a_bound() -> None:
    known = reconcile(Counts(1_009, 1_009, 1_005, 1_009, 4), [])
    bound = reconcile(Counts(1_009, 1_009, None, 1_012, 7), [])

    assert known.explanation == (
        "the server accepted 1,005 of 1,009 connections that clients hold; 4 wait in its accept queues",
    )
    assert bound.explanation[0] == (
        "the server accepted at most 1,005 of 1,009 connections that clients hold; at least 4 wait in its accept queues"
    )
    assert bound.explanation[-1].startswith("3 connections wait in accept queues, and are not known to be held by clients")


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        (Counts(9, 9, None, 9, 0), "clients and their kernels, the target's kernel agree"),
        (Counts(9, None, 9, None, None), "clients and acceptors agree"),
        (Counts(0, 0, 0, 0, 0), "clients and their kernels, acceptors, the target's kernel agree that nothing was established"),
        (Counts(9, None, None, None, None), "nothing was compared: only the clients could count"),
    ],
)
def test_agreement_names_those_who_could_count(counts: Counts, told: str) -> None:
    assert reconcile(counts, []).explanation == (told,)


def test_differences_of_both_pairs_add_up_and_neither_hides_the_other() -> None:
    assert reconcile(Counts(9, 7, 12, 9, 0), []).unexplained == 2 + 3
    assert reconcile(Counts(9, 11, None, None, None), []).unexplained == 2
    assert reconcile(Counts(9, None, 7, 9, 0), []).unexplained == 2
    assert reconcile(Counts(9, None, 7, None, 0), []).unexplained is None
