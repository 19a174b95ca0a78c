"""Who serves a port: asked of the kernel and of /proc about processes that are really there."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sockdiag_messages import END, LISTENER, TWO_CLIENTS

from c1m.kernel.owners import descendants, family_of, holders, parent_of
from c1m.kernel.sockdiag import (
    CLOSE_WAIT,
    ESTABLISHED,
    LISTEN,
    Family,
    count_by_state,
    fold_inodes,
    fold_states,
    listener_inodes,
)

# Listens, forks a child that inherits the listener, tells what it has, and lives until its standard input ends.
SERVER = """
import os, socket, sys
listener = socket.create_server((sys.argv[1], 0), family=socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
reading, writing = os.pipe()
if child := os.fork():
    os.close(reading)
    print(listener.getsockname()[1], child, flush=True)
    sys.stdin.read()
    os.close(writing)
    os.wait()
else:
    os.close(writing)
    os.read(reading, 1)
"""


@contextmanager
def server(address: str = "127.0.0.1") -> Iterator[tuple[int, int, int]]:
    """(port, process, its child)"""
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, address], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        port, child = map(int, process.stdout.readline().split())
        yield port, process.pid, child
        process.communicate()
    assert process.returncode == 0


@pytest.mark.parametrize(("address", "family"), [("127.0.0.1", 4), ("::1", 6)])
def test_those_who_listen_on_a_port_are_found_and_only_they(address: str, family: Family) -> None:
    with ExitStack() as stack:
        try:
            own = stack.enter_context(
                socket.create_server((address, 0), family=socket.AF_INET6 if family == 6 else socket.AF_INET)
            )
        except OSError:
            pytest.skip("no IPv6 here")
        port, pid, child = stack.enter_context(server(address))
        own_port = own.getsockname()[1]

        assert sorted(holders(listener_inodes([(port, port)], family))) == sorted([pid, child]), "and who inherited it"
        assert holders(listener_inodes([(own_port, own_port)], family)) == [os.getpid()]
        assert listener_inodes([(own_port, own_port)], family) == {os.fstat(own.fileno()).st_ino}

    assert listener_inodes([(port, port)], family) == set(), "nobody serves it any more"


def test_a_connection_is_no_listener() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)), listener.accept()[0]:
            assert len(listener_inodes([(port, port)])) == 1


def test_of_no_socket_there_is_no_holder() -> None:
    assert holders(set()) == []
    assert listener_inodes([]) == set()


def test_a_family_is_a_process_and_its_descendants() -> None:
    with server() as (_, pid, child):
        assert family_of(pid) == [pid, child]
        assert parent_of(child) == pid
        ours = family_of(os.getpid())

    assert ours[0] == os.getpid()
    assert {pid, child} < set(ours)
    assert ours.index(pid) < ours.index(child), "nearest first"
    assert os.getppid() not in ours
    assert family_of(child) == [], "it has ended"
    assert parent_of(child) is None


def test_a_command_cannot_forge_its_parent() -> None:
    program = "import sys; open('/proc/self/comm', 'w').write('a) R 1 (b) R'); print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()

        assert parent_of(process.pid) == os.getpid()
        assert process.pid in family_of(os.getpid())
        process.communicate()


PARENTS = st.dictionaries(st.integers(0, 12), st.integers(0, 12))


def steps_up(pid: int, ancestor: int, parents: dict[int, int]) -> int | None:
    """How far above a process its ancestor is; None when it is not one."""
    seen: list[int] = []
    while pid != ancestor:
        if pid in seen or pid not in parents:
            return None
        seen.append(pid)
        pid = parents[pid]
    return len(seen)


@given(st.integers(0, 12), PARENTS)
def test_descendants_are_all_below_nearest_first_whatever_circles_there_are(pid: int, parents: dict[int, int]) -> None:
    found = descendants(pid, parents)

    depths = {each: steps_up(each, pid, parents) for each in parents.keys() | {pid}}
    assert Counter(found) == Counter(each for each, depth in depths.items() if depth is not None), "each of them once"
    assert [depths[each] for each in found] == sorted(depth for depth in depths.values() if depth is not None)


@pytest.mark.parametrize(("address", "family"), [("127.0.0.1", 4), ("::1", 6)])
def test_connections_that_only_the_client_has_closed_are_counted(address: str, family: Family) -> None:
    with ExitStack() as stack:
        try:
            listener = stack.enter_context(
                socket.create_server((address, 0), family=socket.AF_INET6 if family == 6 else socket.AF_INET)
            )
        except OSError:
            pytest.skip("no IPv6 here")
        port = listener.getsockname()[1]
        clients, accepted = [], []
        for _ in range(5):
            clients.append(stack.enter_context(socket.create_connection((address, port))))
            accepted.append(stack.enter_context(listener.accept()[0]))
        for client, end in zip(clients[:2], accepted):
            client.close()
            assert end.recv(1) == b"", "its FIN has arrived"

        ports = [(port, port)]
        assert count_by_state(ports, "local", {ESTABLISHED, CLOSE_WAIT}, family) == {ESTABLISHED: 3, CLOSE_WAIT: 2}
        assert count_by_state(ports, "local", {CLOSE_WAIT}, family) == {CLOSE_WAIT: 2}
        assert count_by_state(ports, "local", {LISTEN}, family) == {LISTEN: 1}
        assert count_by_state(ports, "remote", {ESTABLISHED, CLOSE_WAIT}, family) == {ESTABLISHED: 3}, "the clients' ends"

    assert count_by_state([], "local", {ESTABLISHED}) == {}


@pytest.mark.parametrize("state", [0, 13, -1])
def test_a_state_that_there_is_not_is_refused(state: int) -> None:
    with pytest.raises(ValueError, match=f"{state} is not a TCP state"):
        count_by_state([(1, 1)], "local", {ESTABLISHED, state})


def test_a_captured_dump_is_counted() -> None:
    states: Counter[int] = Counter()
    inodes: set[int] = set()

    assert [fold_states(part, states) for part in (TWO_CLIENTS, LISTENER, END)] == [False, False, True]
    assert [fold_inodes(part, inodes) for part in (TWO_CLIENTS, LISTENER, END)] == [False, False, True]
    assert states == {ESTABLISHED: 2, LISTEN: 1}
    assert inodes == {0xA32947, 0xA32948, 0xA32946}


def test_a_dump_cut_at_any_byte_gives_what_stood_before_or_a_value_error() -> None:
    datagram = TWO_CLIENTS + END
    for end in range(len(datagram)):
        states: Counter[int] = Counter()
        inodes: set[int] = set()
        with suppress(ValueError):
            assert not fold_states(datagram[:end], states), "the end is not in it"
        with suppress(ValueError):
            assert not fold_inodes(datagram[:end], inodes)

        assert states.total() <= 2
        assert inodes <= {0xA32947, 0xA32948}


@given(st.binary(max_size=400) | st.tuples(st.just(TWO_CLIENTS), st.binary(max_size=40)).map(b"".join))
def test_any_datagram_is_folded_or_is_an_error(datagram: bytes) -> None:
    with suppress(ValueError, OSError):
        assert fold_states(datagram, Counter()) in (True, False)
    with suppress(ValueError, OSError):
        assert fold_inodes(datagram, set()) in (True, False)
