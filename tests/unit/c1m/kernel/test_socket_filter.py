"""The filter of sockets against a model of the kernel's interpreter: net/ipv4/inet_diag.c, inet_diag_bc_run and _audit."""

import ipaddress
import socket
import struct
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from c1m.kernel.socket_filter import Side, filter_program

PORT = st.integers(0, 65_535)
RANGES = st.lists(st.tuples(PORT, PORT).map(lambda ends: (min(ends), max(ends))), min_size=1, max_size=6)


def kernel_lets_through(program: bytes, local: int, remote: int, address: bytes) -> bool:
    compare: dict[int, Callable[[int], bool]] = {
        2: lambda port: local >= port,
        3: lambda port: local <= port,
        4: lambda port: remote >= port,
        5: lambda port: remote <= port,
    }
    at = 0
    while at < len(program):
        code, yes, no = struct.unpack_from("=BBH", program, at)
        if code == 1:
            take = False
        elif code == 7:
            family, bits = program[at + 4], program[at + 5]
            size = 4 if family == socket.AF_INET else 16
            both = (int.from_bytes(each) >> (8 * size - bits) for each in (program[at + 12 : at + 12 + size], address))
            take = len(address) == size and len(set(both)) == 1
        else:
            take = compare[code](struct.unpack_from("=H", program, at + 6)[0])
        at += yes if take else no
    return at == len(program)


def kernel_takes(program: bytes) -> bool:
    """Every jump leads to an operation, to the end, or 4 bytes past it."""
    starts, at = set(), 0
    while at < len(program):
        starts.add(at)
        at += program[at + 1]
    starts |= {len(program), len(program) + 4}
    jumps = (at + struct.unpack_from("=BBH", program, at)[2] for at in starts if at < len(program))
    return at == len(program) and all(jump in starts for jump in jumps)


NETWORKS = st.lists(st.sampled_from(("127.0.0.2", "127.0.1.0/24", "10.0.0.0/9", "::1", "fd00::/64")), max_size=4)
ADDRESSES = st.sampled_from(("127.0.0.2", "127.0.0.3", "127.0.1.77", "10.64.0.1", "10.128.0.1", "::1", "fd00::9", "fd01::9"))


@given(RANGES, PORT, PORT, NETWORKS, st.one_of(st.just([]), RANGES), ADDRESSES)
def test_the_filter_means_its_ranges(
    ranges: list[tuple[int, int]], local: int, remote: int, networks: list[str], own: list[tuple[int, int]], at: str
) -> None:
    address = ipaddress.ip_address(at)
    here = not networks or any(address in ipaddress.ip_network(network) for network in networks)
    mine = not own or any(first <= local <= last for first, last in own)
    sides: tuple[tuple[Side, int], ...] = ("local", local), ("remote", remote)
    for side, port in sides:
        program = filter_program(ranges, side, networks, own)

        assert kernel_takes(program)
        assert kernel_lets_through(program, local, remote, address.packed) is (
            any(first <= port <= last for first, last in ranges) and here and mine
        )
