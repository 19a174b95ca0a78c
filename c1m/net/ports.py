"""Ports as ranges: the notations of people and of the kernel, and the order in which c1m's explicit binds use them up.

A ``PortRanges`` is a sequence, not a set: a shard walks it from ``at(0)`` on. No port is in it twice.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Final

HIGHEST_PORT: Final = 65_535
FIRST_UNPRIVILEGED_PORT: Final = 1_024

# An explicit bind of a port, on any local address, hides that port from every connect() in the network namespace that lets the
# kernel choose (inet_hashtables.c, __inet_hash_connect). So c1m leaves some of the kernel's range to the machine's other
# programs: resolvers, agents, c1m's own control connections.
PORTS_LEFT_TO_OTHERS: Final = 1_000
SHARE_LEFT_TO_OTHERS: Final = 4  # one in four, rounded up, if the range is too small for a thousand

PORT_FORMS: Final = "write 80, 9000-9999 or 80,443,8000-8010, with ports from 1 to 65535"

_ITEM = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")

Range = tuple[int, int]


@dataclass(frozen=True)
class PortRanges:
    """Port numbers as inclusive (first, last) ranges, in the order in which they are used.

    Raises ValueError for a range that is not within 1 to 65535. A port that is repeated later is dropped there, and a range
    that continues the one before it is joined to it. Two values are therefore equal exactly if they have the same ports in the
    same order.
    """

    ranges: tuple[Range, ...] = ()

    def __post_init__(self) -> None:
        for first, last in self.ranges:
            if not 1 <= first <= last <= HIGHEST_PORT:
                raise ValueError(f"{_range_text(first, last)} is not a port or an ascending range; {PORT_FORMS}")
        object.__setattr__(self, "ranges", tuple(_joined(_each_once(self.ranges))))

    @property
    def size(self) -> int:
        """The number of ports in all ranges."""
        return self._ends[-1] if self.ranges else 0

    def at(self, i: int) -> int:
        """Return the port number at index ``i`` of these ports; the first has index 0.

        Raises IndexError for an index that is out of range.
        """
        if not 0 <= i < self.size:
            raise IndexError(f"place {i} of {self.size} ports")
        which = bisect_right(self._ends, i)
        return self.ranges[which][1] + 1 - (self._ends[which] - i)

    def index(self, port: int) -> int:
        """Return the index, from 0, that a port number has among these ports.

        Raises ValueError if the port is not among them.
        """
        for (first, last), end in zip(self.ranges, self._ends, strict=True):
            if first <= port <= last:
                return end - 1 - (last - port)
        raise ValueError(f"port {port} is not in {self}")

    def take(self, n: int) -> PortRanges:
        """Return the first ``n`` of these ports in the same order, or all of them if there are fewer."""
        starts = (0, *self._ends)
        return PortRanges(
            tuple(
                (first, min(last, first + n - start - 1))
                for (first, last), start in zip(self.ranges, starts, strict=False)
                if start < n
            )
        )

    def without(self, other: PortRanges) -> PortRanges:
        """Return these ports in the same order, less the ports that ``other`` contains."""
        if not other.ranges:
            return self
        holes = sorted(other.ranges)
        return PortRanges(tuple(piece for each in self.ranges for piece in _outside(each, holes)))

    def __contains__(self, port: object) -> bool:
        return isinstance(port, int) and any(first <= port <= last for first, last in self.ranges)

    def __str__(self) -> str:
        return ",".join(_range_text(first, last) for first, last in self.ranges)

    @cached_property
    def _ends(self) -> tuple[int, ...]:
        """For each range, the number of ports from the start of the first range to the end of this one."""
        return tuple(accumulate(last + 1 - first for first, last in self.ranges))


def parse_ports(text: str) -> PortRanges:
    """Return the ports in a text such as "80", "9000-9999" or "80,443,8000-8010", in the same order.

    Raises ValueError for any other text.
    """
    return PortRanges(tuple(_parsed_range(item, text) for item in text.split(",")))


def parse_kernel_ports(text: str) -> PortRanges:
    r"""Return the ranges of ports in the text of ip_local_reserved_ports, such as "8080,9148-9150\n"; none for "".

    Raises ValueError for other text.

    The file may contain port 0, which cannot be bound and is left out.
    """
    if not text.strip():
        return PortRanges()
    ranges = (_parsed_range(item, text) for item in text.split(","))
    return PortRanges(tuple((max(first, 1), last) for first, last in ranges if last > 0))


def parse_port_range(text: str) -> Range:
    r"""Return (first, last) from the content of ip_local_port_range, such as "32768\t60999\n". Raises ValueError."""
    ports = text.split()
    if len(ports) != 2 or not all(re.fullmatch("[0-9]{1,5}", port) for port in ports):
        raise ValueError(f"{text!r} is not the content of ip_local_port_range, which is two ports, such as 32768 60999")
    first, last = map(int, ports)
    if not 1 <= first <= last <= HIGHEST_PORT:
        raise ValueError(f"{text!r} is not a range of ports within 1 to 65535, such as 32768 60999")
    return first, last


def client_ports(ephemeral: Range, reserved: PortRanges, low: int = FIRST_UNPRIVILEGED_PORT) -> PortRanges:
    """Return the source ports that c1m binds explicitly on one address, in the order in which it uses them up.

    First come the ports outside ``ephemeral`` (ip_local_port_range), which the kernel never chooses; then the ephemeral ports,
    except the last thousand. ``reserved`` (ip_local_reserved_ports) is left out: the kernel allows an explicit bind of those,
    but someone reserved them for a program. Raises ValueError for ports outside 1 to 65535.
    """
    usable = PortRanges(((low, HIGHEST_PORT),)).without(reserved)
    quiet = usable.without(PortRanges((ephemeral,)))
    shared = usable.without(quiet)
    left = min(PORTS_LEFT_TO_OTHERS, -(-shared.size // SHARE_LEFT_TO_OTHERS))
    return PortRanges(quiet.ranges + shared.take(shared.size - left).ranges)


def _parsed_range(item: str, text: str) -> Range:
    match = _ITEM.fullmatch(item.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a list of ports; {PORT_FORMS}")
    return int(match[1]), int(match[2] or match[1])


def _range_text(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def _each_once(ranges: Iterable[Range]) -> Iterator[Range]:
    """Yield port ranges in the given order, each without the ports that an earlier range contains."""
    seen: list[Range] = []
    for each in ranges:
        fresh = list(_outside(each, seen))
        for piece in fresh:
            seen.insert(bisect_left(seen, piece), piece)
        yield from fresh


def _outside(each: Range, holes: Sequence[Range]) -> Iterator[Range]:
    """Yield the parts of a port range that are outside ``holes``, which are sorted and disjoint."""
    first, last = each
    for which in range(bisect_left(holes, first, key=lambda hole: hole[1]), len(holes)):
        hole_first, hole_last = holes[which]
        if hole_first > last:
            break
        if first < hole_first:
            yield first, hole_first - 1
        first = hole_last + 1
    if first <= last:
        yield first, last


def _joined(ranges: Iterable[Range]) -> Iterator[Range]:
    """Yield port ranges in the given order, but consecutive ranges that continue each other as one range."""
    waiting: Range | None = None
    for first, last in ranges:
        if waiting and waiting[1] + 1 == first:
            waiting = waiting[0], last
            continue
        if waiting:
            yield waiting
        waiting = first, last
    if waiting:
        yield waiting
