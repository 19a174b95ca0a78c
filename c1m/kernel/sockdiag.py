"""Counts TCP sockets by port with NETLINK_SOCK_DIAG, the interface that ss uses. No dependency is needed.

A dump walks the machine's whole table of established sockets: 2 to 5 ms for 262,144 empty buckets, and about 0.3 us for
each socket in them, including TIME_WAIT and other network namespaces. Each socket that passes the filter adds 0.8 us and
124 bytes. The filter (socket_filter.py) is a small program that the kernel runs, at some 5 ns a socket for each range of
ports.

A dump is not a snapshot: the kernel releases its lock after every 16 sockets. A socket that opens or closes meanwhile may
be counted or not, and its neighbours in the same bucket twice or not at all. The count is exact if the table does not
change.

All counts cover the caller's network namespace and need no privilege. Sources: include/uapi/linux/netlink.h, inet_diag.h;
net/ipv4/inet_diag.c (inet_diag_bc_audit, inet_diag_bc_run, inet_diag_dump_icsk).
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Final, Literal

from .socket_filter import Ranges, Side, filter_program

Family = Literal[4, 6]

ESTABLISHED: Final = 1  # enum tcp_states, include/net/tcp_states.h
SYN_RECV: Final = 3  # sock_diag uses this state for sockets in a SYN queue, which are NEW_SYN_RECV in the kernel
CLOSE_WAIT: Final = 8
LISTEN: Final = 10
_HIGHEST_STATE: Final = 12  # NEW_SYN_RECV
_WITH_A_PORT: Final = frozenset(range(1, _HIGHEST_STATE)) - {LISTEN}

_NETLINK_SOCK_DIAG: Final = 4  # the socket module has no name for it
_SOCK_DIAG_BY_FAMILY: Final = 20  # type of the request, and of each socket in the answer
_DUMP_REQUEST: Final = 0x301  # NLM_F_REQUEST | NLM_F_ROOT | NLM_F_MATCH
_NLMSG_ERROR: Final = 2
_NLMSG_DONE: Final = 3
_MAX_ERRNO: Final = 4_095

_HEADER: Final = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port id
_ERRNO: Final = struct.Struct("=i")
# inet_diag_req_v2: family, protocol, extensions, states, and a socket id that is all zero except its cookie
_REQUEST: Final = struct.Struct("=BBBxI 4x32x4x 8s")
_NO_COOKIE: Final = b"\xff" * 8

# nlmsghdr and inet_diag_msg. Attributes follow; newer kernels add more. Only ports are in network byte order.
_SOCKET_BYTES: Final = 88
_PORT: Final = {"local": struct.Struct("=IH14xBB"), "remote": struct.Struct("=IH16xBB")}  # length, type, port
_LISTENER: Final = struct.Struct("=IH14xBB50xII")  # length, type, local port, idiag_rqueue, idiag_wqueue
_STATE: Final = struct.Struct("=IH11xB")  # length, type, idiag_state
_PAIR: Final = struct.Struct("=IH16x2s16s16s")  # length, type, remote port, local address, remote address
_INODE: Final = struct.Struct("=IH78xI")  # length, type, idiag_inode

# Netlink fills datagrams up to 32 KiB (af_netlink.c:netlink_recvmsg). The buffer is larger in case a future kernel fills more.
_DATAGRAM_BYTES: Final = 262_144


def count_by_port(
    ports: Ranges,
    side: Side,
    family: Family = 4,
    state: int = ESTABLISHED,
    local: Sequence[str] = (),
    local_ports: Ranges = (),
) -> dict[int, int]:
    """Return {port: sockets} for the TCP sockets whose port on ``side`` is in ``ports``. Ports without sockets are absent.

    ``family`` is the socket's. A dual-stack listener holds its IPv4 clients as v4-mapped sockets of family 6, so a server's
    total is the sum over both families. ``local`` (addresses or networks) and ``local_ports`` keep only sockets whose local
    address and port are among them.

    Raises ValueError as build_request does. Raises OSError if the kernel refuses, which leaves the count unknown: ENOENT if
    the kernel has no tcp_diag, EPROTONOSUPPORT if it has no sock_diag, as in some sandboxes.
    """
    counts: dict[int, int] = {}
    if ranges := list(ports):
        request = build_request(ranges, side, family, state, local, local_ports)
        _dump(request, lambda datagram: fold_ports(datagram, counts, side))
    return counts


def count_by_state(ports: Ranges, side: Side, states: Collection[int], family: Family = 4) -> Counter[int]:
    """Return {state: sockets} for the TCP sockets in one of the states whose port on ``side`` is in these ranges.

    Uses one dump. Raises OSError if the kernel refuses, and ValueError for invalid arguments.
    """
    counts: Counter[int] = Counter()
    if ranges := list(ports):
        _dump(_request(filter_program(ranges, side), family, states), lambda datagram: fold_states(datagram, counts))
    return counts


def accept_queues(ports: Ranges, family: Family = 4) -> dict[int, tuple[int, int]]:
    """Return {port: (connections not yet accepted, backlog)} for the listeners with a port in these ranges.

    A queue is full at backlog + 1. Listeners that share a port (SO_REUSEPORT, several addresses) are summed. Raises as
    count_by_port does.
    """
    queues: dict[int, tuple[int, int]] = {}
    if ranges := list(ports):
        _dump(build_request(ranges, "local", family, LISTEN), lambda datagram: fold_queues(datagram, queues))
    return queues


def most_ports(ports: Ranges, family: Family = 4) -> int:
    """Return the largest number of local ports of these ranges in use between one local address and one destination.

    A socket in TIME_WAIT uses its port. Raises as count_by_port does.
    """
    pairs: Counter[tuple[bytes, bytes, bytes]] = Counter()
    if ranges := list(ports):
        _dump(_request(filter_program(ranges, "local"), family, _WITH_A_PORT), lambda datagram: fold_pairs(datagram, pairs))
    return max(pairs.values(), default=0)


def listener_inodes(ports: Ranges, family: Family = 4) -> set[int]:
    """Return the inodes of the listeners with a port in these ranges. /proc/PID/fd links to them as "socket:[INODE]".

    Raises as count_by_port does.
    """
    inodes: set[int] = set()
    if ranges := list(ports):
        _dump(build_request(ranges, "local", family, LISTEN), lambda datagram: fold_inodes(datagram, inodes))
    return inodes


def build_request(
    ports: Ranges, side: Side, family: Family, state: int, local: Sequence[str] = (), local_ports: Ranges = ()
) -> bytes:
    """Return the netlink message that requests a dump of the TCP sockets with these ports and addresses in one state.

    Raises ValueError for invalid ranges, networks or states, and for too many ranges.
    """
    return _request(filter_program(ports, side, local, local_ports), family, {state})


def _request(program: bytes, family: Family, states: Collection[int]) -> bytes:
    for state in states:
        if not 1 <= state <= _HIGHEST_STATE:
            raise ValueError(f"{state} is not a TCP state; states are 1 (ESTABLISHED) to {_HIGHEST_STATE}")
    domain = socket.AF_INET6 if family == 6 else socket.AF_INET
    body = _REQUEST.pack(domain, socket.IPPROTO_TCP, 0, sum(1 << state for state in states), _NO_COOKIE)
    body += struct.pack("=HH", 4 + len(program), 1) + program  # nlattr, INET_DIAG_REQ_BYTECODE
    return _HEADER.pack(_HEADER.size + len(body), _SOCK_DIAG_BY_FAMILY, _DUMP_REQUEST, 0, 0) + body


def fold_ports(datagram: bytes | memoryview, counts: dict[int, int], side: Side) -> bool:
    """Add the sockets in one datagram of a socket dump to ``counts``, by port.

    Return True if the dump ends with this datagram. Raises OSError with the kernel's errno, and ValueError for a datagram that
    is cut off or garbled. Sockets before the error are counted.
    """
    unpack = _PORT[side].unpack_from
    offset, last = 0, len(datagram) - _SOCKET_BYTES
    while offset <= last:
        length, kind, high, low = unpack(datagram, offset)
        if kind != _SOCK_DIAG_BY_FAMILY or length < _SOCKET_BYTES:
            break
        port = high << 8 | low
        counts[port] = counts.get(port, 0) + 1
        offset += (length + 3) & ~3
    return _ends(datagram, offset)


def fold_states(datagram: bytes | memoryview, counts: Counter[int]) -> bool:
    """Add the sockets in one datagram of a socket dump to ``counts``, by state. Returns and raises as fold_ports does."""
    offset, last = 0, len(datagram) - _SOCKET_BYTES
    while offset <= last:
        length, kind, state = _STATE.unpack_from(datagram, offset)
        if kind != _SOCK_DIAG_BY_FAMILY or length < _SOCKET_BYTES:
            break
        counts[state] += 1
        offset += (length + 3) & ~3
    return _ends(datagram, offset)


def fold_queues(datagram: bytes | memoryview, queues: dict[int, tuple[int, int]]) -> bool:
    """Add the queue length and backlog of the listeners in one datagram of a socket dump to ``queues``, by port.

    Returns and raises as fold_ports does.
    """

    def add(high: int, low: int, queued: int, backlog: int) -> None:
        port = high << 8 | low
        queued_before, backlog_before = queues.get(port, (0, 0))
        queues[port] = queued_before + queued, backlog_before + backlog

    return _each(datagram, _LISTENER, add)


def fold_inodes(datagram: bytes | memoryview, inodes: set[int]) -> bool:
    """Add the inodes of the sockets in one datagram of a socket dump to ``inodes``. Returns and raises as fold_ports does."""
    return _each(datagram, _INODE, inodes.add)


def fold_pairs(datagram: bytes | memoryview, pairs: Counter[tuple[bytes, bytes, bytes]]) -> bool:
    """Count the sockets in one datagram of a socket dump in ``pairs``, by (remote port, local address, remote address).

    Returns and raises as fold_ports does.
    """

    def add(*pair: bytes) -> None:
        pairs[pair] += 1  # type: ignore[index]

    return _each(datagram, _PAIR, add)


def _each(datagram: bytes | memoryview, layout: struct.Struct, take: Callable[..., None]) -> bool:
    """Call ``take`` with the fields of each socket in one datagram of a socket dump, and return True if the dump ends there.

    The folds over connections write this loop out, since a call for each of a million sockets costs too much. Listeners are
    few.
    """
    offset, last = 0, len(datagram) - _SOCKET_BYTES
    while offset <= last:
        length, kind, *fields = layout.unpack_from(datagram, offset)
        if kind != _SOCK_DIAG_BY_FAMILY or length < _SOCKET_BYTES:
            break
        take(*fields)
        offset += (length + 3) & ~3
    return _ends(datagram, offset)


def _ends(datagram: bytes | memoryview, offset: int) -> bool:
    """Return True if the socket dump ends after the last socket of a datagram, which ends at ``offset``; False if more
    datagrams follow. Raises OSError with the kernel's errno, and ValueError for a datagram that is cut off or garbled.
    """
    size = len(datagram)
    if offset == size > 0:
        return False
    if offset + _HEADER.size + _ERRNO.size > size:
        raise ValueError(f"a socket dump is cut off at byte {size}, in the message that starts at {offset}")
    length, kind, *_ = _HEADER.unpack_from(datagram, offset)
    (error,) = _ERRNO.unpack_from(datagram, offset + _HEADER.size)
    # NLMSG_DONE carries an errno too, if a dump failed half-way. NLM_F_DUMP_INTR ("the table changed") is not checked:
    # tcp_diag never sets it, because its dumps are not snapshots.
    if kind not in (_NLMSG_DONE, _NLMSG_ERROR) or not -_MAX_ERRNO <= error <= 0:
        raise ValueError(f"a socket dump is garbled: a message of type {kind} and {length} bytes at {offset}")
    if error:
        raise OSError(-error, f"{os.strerror(-error)}: the kernel refused to dump its TCP sockets")
    return True


def why_refused(error: OSError) -> str:
    """Return the reason for an OSError of this module, with the cure where the socket itself was refused."""
    reason = error.strerror or str(error)
    if error.errno not in (errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.EPERM, errno.EACCES):
        return reason
    return f"{reason}: AF_NETLINK is forbidden there; permit it in RestrictAddressFamilies= of the unit or the seccomp profile"


def _dump(request: bytes, fold: Callable[[memoryview], bool]) -> None:
    buffer = bytearray(_DATAGRAM_BYTES)
    view = memoryview(buffer)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as kernel:
        kernel.sendall(request)
        done = False
        while not done:
            # MSG_TRUNC makes netlink return the datagram's full length, even if it did not fit.
            length = kernel.recv_into(buffer, 0, socket.MSG_TRUNC)
            if length > len(buffer):
                raise ValueError(f"a socket dump is cut off: a datagram has {length} bytes and the buffer {len(buffer)}")
            done = fold(view[:length])
