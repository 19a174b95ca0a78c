"""Builds the filter of a socket dump: a small program that the kernel runs for each socket. Pure.

A program is a list of operations: code (1 byte), yes (1), no (2), then the argument if the code has one. "yes" and "no" say
how far forward the next operation is. A jump exactly to the end accepts the socket; a jump 4 bytes past the end rejects it.
Sources: include/uapi/linux/inet_diag.h; net/ipv4/inet_diag.c (inet_diag_bc_audit, inet_diag_bc_run).
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Iterable, Sequence
from typing import Final, Literal

Side = Literal["local", "remote"]
Ranges = Iterable[tuple[int, int]]
"""Ports as inclusive (first, last) pairs, in any order. Pairs may overlap."""

_OPERATION: Final = struct.Struct("=BBH")
_JUMP: Final = 1  # INET_DIAG_BC_JMP, which always follows "no"
_LOCAL_IS: Final = 7  # INET_DIAG_BC_S_COND
_AT_LEAST: Final = {"local": 2, "remote": 4}  # INET_DIAG_BC_S_GE, INET_DIAG_BC_D_GE
_AT_MOST: Final = {"local": 3, "remote": 5}  # INET_DIAG_BC_S_LE, INET_DIAG_BC_D_LE
# These four compare with a port that is the "no" of a second operation, which is not run.
_LONGEST_FILTER: Final = 64_000  # bytes, since lengths and jumps have 16 bits. A range of ports takes 20 bytes


def filter_program(ports: Ranges, side: Side, local: Sequence[str] = (), local_ports: Ranges = ()) -> bytes:
    """Return a program that accepts a socket whose port on ``side`` is in one of the ranges.

    If ``local`` or ``local_ports`` are given, the socket's local address or port must be among them too. Raises ValueError
    for invalid arguments, no ranges, or a program that is too long.
    """
    ranges = [_checked(first, last) for first, last in ports]
    if not ranges:
        raise ValueError("0 port ranges do not make a filter; give at least one")
    program = _in_ranges(ranges, side, 0)
    program = _in_ranges([_checked(first, last) for first, last in local_ports], "local", len(program)) + program
    program = _in_networks([ipaddress.ip_network(text) for text in local], len(program)) + program
    if len(program) > _LONGEST_FILTER:
        raise ValueError(f"a filter of {len(program):,} bytes is too long: at most {_LONGEST_FILTER:,}; join some ranges")
    return program


def _checked(first: int, last: int) -> tuple[int, int]:
    if not 0 <= first <= last <= 65_535:
        raise ValueError(f"{first}-{last} is not a range of ports; write the lower port first, from 0 to 65535")
    return first, last


# Each part of a filter is built from its end, which its jumps lead to. If a part matches, the next part runs. If it does not
# match, it jumps past the end of the whole program.


def _in_ranges(ranges: Sequence[tuple[int, int]], side: Side, following: int) -> bytes:
    program = b""
    for first, last in reversed(ranges):
        accept = _OPERATION.pack(_JUMP, 4, 4 + len(program)) if program else b""
        miss = 8 + (len(accept) or following + 4)  # from "at most" to the next range, or past the end
        program = (
            _OPERATION.pack(_AT_LEAST[side], 8, 8 + miss)
            + _OPERATION.pack(0, 0, first)
            + _OPERATION.pack(_AT_MOST[side], 8, miss)
            + _OPERATION.pack(0, 0, last)
            + accept
            + program
        )
    return program


def _in_networks(networks: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network], following: int) -> bytes:
    program = b""
    for network in reversed(networks):
        # inet_diag_hostcond. An IPv4 condition also matches the v4-mapped addresses of AF_INET6 sockets.
        domain = socket.AF_INET if network.version == 4 else socket.AF_INET6
        any_port = -1
        condition = struct.pack("=BBxxi", domain, network.prefixlen, any_port) + network.network_address.packed
        accept = _OPERATION.pack(_JUMP, 4, 4 + len(program)) if program else b""
        length = _OPERATION.size + len(condition)
        miss = length + (len(accept) or following + 4)
        program = _OPERATION.pack(_LOCAL_IS, length, miss) + condition + accept + program
    return program
