"""Counting sockets by port: the datagrams, the filter against a model of the kernel's, and real sockets."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from programs import eventually
from sockdiag_messages import END, LISTENER, TWO_CLIENTS

from c1m.kernel.sockdiag import ESTABLISHED, accept_queues, build_request, count_by_port, fold_ports, fold_queues
from c1m.kernel.socket_filter import Ranges, Side

CLOSE_WAIT = 8

PORT = st.integers(0, 65_535)


def message(kind: int, body: bytes, length: int | None = None) -> bytes:
    return struct.pack("=IHHII", 16 + len(body) if length is None else length, kind, 2, 0, 4242) + body


def socket_message(local: int, remote: int, queues: tuple[int, int] = (0, 0), attributes: int = 0) -> bytes:
    """inet_diag_msg: 72 bytes, all there is before Linux 4; newer kernels append attributes."""
    identity = struct.pack(">HH", local, remote) + bytes(32) + bytes(12)
    body = bytes([socket.AF_INET, ESTABLISHED, 0, 0]) + identity + struct.pack("=IIIII", 0, *queues, 0, 7)
    return message(20, body + bytes(attributes))


def refusal(number: int) -> bytes:
    return message(2, struct.pack("=i", number) + bytes(16))


def outcome(datagram: bytes, counts: dict[int, int], side: Side = "local") -> bool | type[Exception]:
    try:
        return fold_ports(datagram, counts, side)
    except (ValueError, OSError) as error:
        return OSError if isinstance(error, OSError) else ValueError


@pytest.mark.parametrize(
    ("datagram", "side", "counts", "done", "reason"),
    [
        (TWO_CLIENTS, "local", {58269: 1, 50783: 1}, False, "6.18: the clients' own ports"),
        (TWO_CLIENTS, "remote", {41245: 2}, False, "6.18: both on one port of the server"),
        (END, "local", {}, True, "6.18: the end stands alone"),
        (TWO_CLIENTS + END, "remote", {41245: 2}, True, "6.9 and later may append the end"),
        (message(3, b"\0" * 4), "local", {}, True, "an end of another port id, nothing matched"),
        (socket_message(80, 9) + socket_message(80, 10), "local", {80: 2}, False, "without attributes"),
        (socket_message(80, 9) + socket_message(80, 10), "remote", {9: 1, 10: 1}, False, "the other side"),
        (socket_message(80, 9, attributes=5) + bytes(3) + END, "local", {80: 1}, True, "padded to 4 bytes"),
        (message(2, bytes(20)), "local", {}, True, "error 0 is an acknowledgement"),
    ],
)
def test_a_datagram_is_folded(datagram: bytes, side: Side, counts: dict[int, int], done: bool, reason: str) -> None:
    folded: dict[int, int] = {}

    assert fold_ports(datagram, folded, side) is done, reason
    assert folded == counts, reason


@pytest.mark.parametrize(
    ("datagram", "reason"),
    [
        (b"", "netlink sends no empty datagrams"),
        (TWO_CLIENTS[:-1], "the last message is a byte short"),
        (TWO_CLIENTS[:130], "a header is cut"),
        (END[:-4], "an end without its errno"),
        (message(20, bytes(72), length=0), "a length of 0 would be walked for ever"),
        (message(20, bytes(72), length=87), "a socket shorter than inet_diag_msg"),
        (message(20, bytes(72), length=0xFFFF_FFFF), "a length past the datagram"),
        (message(16, bytes(72)), "another netlink family's message"),
        (message(3, struct.pack("=i", 1)), "an errno that is positive"),
        (message(2, struct.pack("=i", -(2**31))), "an errno that is none"),
    ],
)
def test_a_bad_datagram_is_a_value_error(datagram: bytes, reason: str) -> None:
    assert outcome(datagram, {}) is ValueError, reason


@pytest.mark.parametrize(
    ("datagram", "number", "reason"),
    [
        (refusal(-errno.ENOENT), errno.ENOENT, "no tcp_diag module"),
        (refusal(-errno.EINVAL), errno.EINVAL, "a filter that the kernel does not take"),
        (TWO_CLIENTS + message(3, struct.pack("=i", -errno.EMSGSIZE)), errno.EMSGSIZE, "it failed half-way"),
    ],
)
def test_a_refusal_is_an_os_error_with_its_errno(datagram: bytes, number: int, reason: str) -> None:
    with pytest.raises(OSError, match="refused") as caught:
        fold_ports(datagram, {}, "local")

    assert caught.value.errno == number, reason


@given(st.lists(st.tuples(PORT, PORT, st.integers(0, 40).map(lambda words: 4 * words))), st.booleans())
def test_folding_is_counting(sockets: list[tuple[int, int, int]], ended: bool) -> None:
    datagram = b"".join(socket_message(local, remote, (0, 0), extra) for local, remote, extra in sockets)
    locals_: dict[int, int] = {}
    remotes: dict[int, int] = {}
    if datagram or ended:
        assert fold_ports(datagram + END * ended, locals_, "local") is ended
        assert fold_ports(datagram + END * ended, remotes, "remote") is ended

    assert locals_ == Counter(local for local, _, _ in sockets)
    assert remotes == Counter(remote for _, remote, _ in sockets)


@given(st.lists(st.sampled_from((88, 100, 124)), min_size=1, max_size=6), st.data())
def test_a_cut_is_noticed_unless_it_is_between_messages(lengths: list[int], data: st.DataObject) -> None:
    datagram = b"".join(socket_message(80, 9, attributes=length - 88) for length in lengths)
    bounds = [sum(lengths[:n]) for n in range(len(lengths) + 1)]
    cut = data.draw(st.integers(1, len(datagram)))

    assert outcome(datagram[:cut], {}) is (False if cut in bounds else ValueError)


@given(st.binary(max_size=600) | st.lists(st.sampled_from((TWO_CLIENTS, END, refusal(-2)))).map(b"".join))
def test_any_bytes_end_well(datagram: bytes) -> None:
    assert outcome(datagram, {}) in (True, False, ValueError, OSError)
    assert outcome(datagram, {}, "remote") in (True, False, ValueError, OSError)


@given(st.binary(min_size=1, max_size=8), st.integers(0, len(TWO_CLIENTS) - 8))
def test_any_damage_ends_well(damage: bytes, place: int) -> None:
    datagram = TWO_CLIENTS[:place] + damage + TWO_CLIENTS[place + len(damage) :] + END

    assert outcome(datagram, {}) in (True, False, ValueError, OSError)


def test_listeners_are_folded_and_those_on_one_port_summed() -> None:
    queues: dict[int, tuple[int, int]] = {}

    assert not fold_queues(LISTENER + socket_message(41245, 0, (1, 128)) + socket_message(80, 0, (9, 8)), queues)
    assert fold_queues(END, queues)
    assert queues == {41245: (3, 135), 80: (9, 8)}


@given(st.binary(max_size=300))
def test_any_bytes_for_queues_end_well(datagram: bytes) -> None:
    with suppress(ValueError, OSError):
        assert fold_queues(datagram, {}) in (True, False)


@pytest.mark.parametrize(
    ("ports", "state", "address", "words"),
    [
        ([(9, 8)], ESTABLISHED, None, "9-8 is not a range of ports"),
        ([(0, 65_536)], ESTABLISHED, None, "0-65536 is not a range of ports"),
        ([(-1, 5)], ESTABLISHED, None, "-1-5 is not a range of ports"),
        ([], ESTABLISHED, None, "0 port ranges do not make a filter"),
        ([(1, 1)] * 3_201, ESTABLISHED, None, "a filter of 64,016 bytes is too long"),
        ([(1, 1)], 0, None, "0 is not a TCP state"),
        ([(1, 1)], 13, None, "13 is not a TCP state"),
        ([(1, 1)], ESTABLISHED, "localhost", "'localhost' does not appear to be an IPv4 or IPv6 network"),
    ],
)
def test_what_cannot_be_asked_is_a_value_error(
    ports: list[tuple[int, int]], state: int, address: str | None, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        build_request(ports, "local", 4, state, (address,) if address else ())


# Real sockets, with addresses in our own part of 127.0.0.0/8: other tests may run beside us, or a generator that
# uses every port.

NEIGHBOURHOOD = f"127.{100 + os.getpid() % 100}.{os.getpid() // 100 % 250}"
SERVER = f"{NEIGHBOURHOOD}.1"


class Loopback:
    """Listeners and connections, closed at the end of a test; by reset, so that no TIME_WAIT is left."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def keep(self, sock: socket.socket) -> socket.socket:
        return self._stack.enter_context(sock)

    def listener(self, address: str = SERVER, family: int = socket.AF_INET, backlog: int = 128) -> socket.socket:
        listener = self.keep(socket.socket(family))
        listener.bind((address, 0))
        listener.listen(backlog)
        return listener

    def client(self, listener: socket.socket, source: str | None = None) -> socket.socket:
        client = self.keep(socket.socket(listener.family))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if source:
            client.bind((source, 0))
        client.connect(listener.getsockname())
        return client

    def accepted(self, listener: socket.socket, source: str | None = None) -> tuple[socket.socket, socket.socket]:
        client = self.client(listener, source)
        return client, self.keep(listener.accept()[0])


@pytest.fixture
def loopback() -> Iterator[Loopback]:
    with ExitStack() as stack:
        yield Loopback(stack)


def port_of(sock: socket.socket) -> int:
    port: int = sock.getsockname()[1]
    return port


def only(*sockets: socket.socket) -> list[tuple[int, int]]:
    return [(port_of(sock), port_of(sock)) for sock in sockets]


def test_each_port_is_counted_exactly_among_others(loopback: Loopback) -> None:
    busy, quiet, other = loopback.listener(), loopback.listener(), loopback.listener()
    for listener, connections in ((busy, 7), (other, 3)):
        for _ in range(connections):
            loopback.accepted(listener)
    b, o = port_of(busy), port_of(other)

    assert count_by_port(only(busy, quiet), "remote") == {b: 7}, "a port without sockets is left out"
    assert count_by_port(only(other, busy), "remote") == {b: 7, o: 3}
    assert count_by_port(only(other, busy), "local", local=(SERVER,)) == {b: 7, o: 3}
    assert count_by_port([*only(busy), (b, b), (b, 65_535)], "remote")[b] == 7, "overlapping ranges count once"
    assert count_by_port(only(quiet), "remote") == {}
    assert count_by_port(only(busy), "remote", family=6) == {}
    assert count_by_port([], "remote") == {}


def test_clients_are_counted_by_their_own_port_and_address(loopback: Loopback) -> None:
    listener = loopback.listener()
    mine = [loopback.accepted(listener, f"{NEIGHBOURHOOD}.2")[0] for _ in range(4)]
    for _ in range(2):
        loopback.accepted(listener, f"{NEIGHBOURHOOD}.3")

    everything = [(0, 65_535)]
    assert count_by_port(everything, "local", local=(f"{NEIGHBOURHOOD}.2",)) == {port_of(s): 1 for s in mine}
    assert sum(count_by_port(everything, "local", local=(f"{NEIGHBOURHOOD}.3",)).values()) == 2
    assert count_by_port(only(mine[0]), "local", local=(f"{NEIGHBOURHOOD}.2",)) == {port_of(mine[0]): 1}
    assert count_by_port(everything, "local", local=(f"{NEIGHBOURHOOD}.4",)) == {}


def test_a_dump_of_several_datagrams_is_added_up(loopback: Loopback) -> None:
    listener = loopback.listener()
    for _ in range(800):  # 124 bytes each: three datagrams of 32 KiB
        loopback.accepted(listener)

    assert count_by_port(only(listener), "remote") == {port_of(listener): 800}


def test_the_kernel_takes_as_many_ranges_as_we_do(loopback: Loopback) -> None:
    """Asked of listeners, for there are few: each range costs each socket of the table some nanoseconds."""
    listener = loopback.listener()
    port, others = port_of(listener), [(n, n) for n in range(1, 6_399, 2)]

    assert accept_queues([*others, (port, port)])[port] == (0, 128)
    assert accept_queues([(port, port), *others])[port] == (0, 128)


def test_a_closing_connection_changes_its_state(loopback: Loopback) -> None:
    listener = loopback.listener()
    client, server = loopback.accepted(listener)
    client.shutdown(socket.SHUT_WR)
    assert server.recv(1) == b"", "the FIN is here"

    assert count_by_port(only(listener), "local", local=(SERVER,)) == {}
    assert count_by_port(only(listener), "local", state=CLOSE_WAIT, local=(SERVER,)) == {port_of(listener): 1}


def test_ipv6(loopback: Loopback) -> None:
    try:
        listener = loopback.listener("::1", socket.AF_INET6)
    except OSError as error:
        pytest.skip(f"no ::1 here: {error}")
    for _ in range(3):
        loopback.accepted(listener)

    assert count_by_port(only(listener), "remote", family=6) == {port_of(listener): 3}
    assert count_by_port(only(listener), "local", family=6, local=("::1",)) == {port_of(listener): 3}
    assert accept_queues(only(listener), family=6) == {port_of(listener): (0, 128)}


def test_ipv4_clients_of_an_ipv6_listener_are_ipv6_sockets(loopback: Loopback) -> None:
    try:
        listener = loopback.listener(f"::ffff:{SERVER}", socket.AF_INET6)
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    loopback.keep(socket.create_connection((SERVER, port_of(listener))))
    loopback.keep(listener.accept()[0])

    assert count_by_port(only(listener), "local", family=6, local=(SERVER,)) == {port_of(listener): 1}
    assert count_by_port(only(listener), "local", family=4, local=(SERVER,)) == {}
    assert count_by_port(only(listener), "remote", family=4) == {port_of(listener): 1}, "the client is IPv4"


def settled(read: Callable[[], object], value: object) -> object:
    """What is read once it is ``value``: the last ACK of a handshake may come after connect() returns."""
    eventually(lambda: read() == value)
    return read()


def test_accept_queues_are_read(loopback: Loopback) -> None:
    waiting, idle = loopback.listener(backlog=9), loopback.listener(backlog=5)
    for _ in range(4):
        loopback.client(waiting)
    ports: Ranges = only(waiting, idle)

    expected = {port_of(waiting): (4, 9), port_of(idle): (0, 5)}
    assert settled(lambda: accept_queues(ports), expected) == expected
    loopback.keep(waiting.accept()[0])
    assert accept_queues(ports)[port_of(waiting)] == (3, 9)
    assert accept_queues([]) == {}


def test_the_kernel_refuses_a_filter_that_jumps_nowhere() -> None:
    request = bytearray(build_request([(1, 1)], "local", 4, ESTABLISHED))
    request[16 + 56 + 4 + 1] = 3  # the first "yes"; distances are multiples of 4
    with closing(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4)) as kernel:
        kernel.sendall(request)
        answer = kernel.recv(65_536)

    with pytest.raises(OSError, match="Invalid argument") as caught:
        fold_ports(answer, {}, "local")
    assert caught.value.errno == errno.EINVAL
