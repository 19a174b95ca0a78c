"""The main functions of shards and acceptors, and what their zygotes rehearse before they fork any."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest
import trio
from acceptors import close_order
from shards import assignment, nobody

from c1m.measure.phase import Phase
from c1m.orders.acceptor_assignment import AcceptorAssignment
from c1m.orders.codec import to_message
from c1m.processes import link
from c1m.processes.child import Child
from c1m.target.acceptor import process as acceptor
from c1m.worker.node.worker_node import child_spec
from c1m.worker.shard import process as shard


def run(main: Callable[..., None], descriptors: list[int], *records: Any) -> list[link.Message]:
    """Run a child in a thread with these records, close the link, and return what it reported."""
    ours, theirs = link.pair()
    ours.settimeout(10)
    for record in records:
        ours.send(link.encode(to_message(record)))
    thread = threading.Thread(target=main, args=(theirs, descriptors))
    thread.start()
    ours.shutdown(socket.SHUT_WR)
    thread.join(10)
    theirs.close()
    reports = []
    while report := link.receive(ours):
        reports.append(report)
    ours.close()
    return reports


@pytest.mark.parametrize("main", [shard.main, acceptor.main])
def test_a_child_without_an_assignment_ends(main: Callable[..., None]) -> None:
    assert run(main, []) == []


def test_a_shard_does_as_its_assignment_says_until_its_link_closes() -> None:
    (report, *_) = run(shard.main, [], child_spec(assignment(1, nobody())).assignment)
    child = Child("shard 0", 0, None)  # type: ignore[arg-type]
    child.take(report)
    assert (child.phase, child.tally.attempted) == (Phase.PREPARED, 0)


@pytest.mark.parametrize("pushes", [0.0, 5.0])
def test_an_acceptor_does_as_its_assignment_says_until_its_link_closes(pushes: float) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        given = AcceptorAssignment(
            index=0,
            family=int(listener.family),
            type=int(listener.type),
            shared=False,
            descriptors=256,
            capacity=100,
            push_rate=pushes,
            nonce=b"",
            guests=None,
        )
        reports = run(acceptor.main, [socket.socket.dup(listener).detach()], given, close_order())
    assert [report["phase"] for report in reports] == [Phase.HOLDING, Phase.CLOSED]


def test_a_shard_is_rehearsed_from_the_start_to_the_close() -> None:
    trio.run(shard.perform)


def test_an_acceptor_is_rehearsed_from_the_first_guest_to_the_close() -> None:
    acceptor.perform()
