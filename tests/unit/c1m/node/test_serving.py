"""How a node program may be reached, and how it learns that it should leave."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import trio

from c1m.errors import UsageError
from c1m.net.control_address import parse_control_address
from c1m.node.serve import check_exposure, told_to_leave, warn_of_end


@pytest.mark.parametrize(
    ("listen", "tls", "insecure", "sentence"),
    [
        ("127.0.0.1:7100", False, False, ""),
        ("[::1]:7100", False, False, ""),
        ("unix:/run/c1m.sock", False, False, ""),
        ("0.0.0.0:7100", True, False, ""),
        ("0.0.0.0:7100", False, True, ""),
        ("0.0.0.0:7100", False, False, "is not loopback: without TLS everyone who can reach that port can command this node"),
        ("10.0.0.5:7100", False, False, "is not loopback"),
        ("0.0.0.0:7100", True, True, "give one of them"),
        ("unix:/run/c1m.sock", True, False, "leave --tls out"),
    ],
)
def test_a_node_is_exposed_only_on_purpose(listen: str, tls: bool, insecure: bool, sentence: str) -> None:
    address = parse_control_address(listen, 7100)
    if not sentence:
        check_exposure(address, Path("/tls") if tls else None, insecure=insecure)
        return
    with pytest.raises(UsageError, match=sentence):
        check_exposure(address, Path("/tls") if tls else None, insecure=insecure)


def test_without_certificates_none_ends() -> None:
    warn_of_end("c1m-worker", None)


@pytest.mark.trio
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_tells_it_to_leave(number: signal.Signals) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: told_to_leave(with_parent=False))
        await trio.testing.wait_all_tasks_blocked()
        os.kill(os.getpid(), number)


@pytest.mark.trio
async def test_the_end_of_its_parent_tells_it_to_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = os.pipe()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(fileno=lambda: ours))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: told_to_leave(with_parent=True))
        await trio.testing.wait_all_tasks_blocked()
        os.write(theirs, b"what a parent writes changes nothing")
        await trio.testing.wait_all_tasks_blocked()
        assert nursery.child_tasks
        os.close(theirs)
