"""Source addresses as compact blocks that are never expanded, so 127.0.0.0/8 or an IPv6 /64 cost nothing.

Addresses are integers inside this module; ``at()`` returns text. ``parse_sources`` reads them as people write them. An
interface name stays a name, because only the node that has the interface knows its addresses.
"""

from __future__ import annotations

import ipaddress
import re
from _socket import AF_INET, AF_INET6, inet_pton
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Final

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

LONGEST_INTERFACE_NAME: Final = 15  # bytes; IFNAMSIZ less its NUL

SOURCE_FORMS: Final = (
    "write 10.0.0.10, 10.0.0.10-10.0.0.25, 10.0.0.10-25, 10.0.0.0/24, fd00::1 without brackets, or an interface such as eth0"
)

# Linux lets a socket bind() to a broadcast, multicast or unspecified IPv4 address without an error, and then connects it from
# an address that the kernel chooses (inet_bind sets inet_saddr to 0; measured on 6.18). A plan with such an address would be
# wrong without a warning. For IPv6 bind() fails with EINVAL, also for link-local addresses without a scope.
UNUSABLE: Final = tuple(
    (ipaddress.ip_network(network), why)
    for network, why in (
        ("0.0.0.0/32", "is the unspecified address, for which the kernel chooses one; name the addresses"),
        ("127.255.255.255/32", "is a broadcast address, which cannot be a source; leave it out"),
        ("224.0.0.0/4", "is multicast, which cannot be a source; name unicast addresses"),
        ("255.255.255.255/32", "is a broadcast address, which cannot be a source; name unicast addresses"),
        ("::/128", "is the unspecified address, for which the kernel chooses one; name the addresses"),
        ("::ffff:0:0/96", "is IPv4 written as IPv6; write it as IPv4, such as 10.0.0.10"),
        ("fe80::/10", "is link-local, and sources have no scope; use a global or fd00::/8 address"),
        ("ff00::/8", "is multicast, which cannot be a source; name unicast addresses"),
    )
)


@dataclass(frozen=True, slots=True)
class AddressBlock:
    """A block of ``count`` consecutive addresses (at least one) of IP ``version`` 4 or 6.

    ``first`` is the first address as an integer. Raises ValueError if there are no such addresses.
    """

    first: int
    count: int
    version: int

    def __post_init__(self) -> None:
        bits = {4: 32, 6: 128}.get(self.version, 0)
        if not (0 <= self.first < self.end <= 1 << bits):
            raise ValueError(f"{self.count} addresses from {self.first} on are not a block of IPv{self.version}")

    @property
    def end(self) -> int:
        """The integer one past the last address of the block."""
        return self.first + self.count

    def __str__(self) -> str:
        first, last = _name(self.first, self.version), _name(self.end - 1, self.version)
        return first if first == last else f"{first}-{last}"


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface by its name. It stands for all addresses that it has on the node."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class AddressPool:
    """A set of addresses in ascending order. Two pools of the same addresses are equal.

    A pool may hold both families, as an interface does. A run uses one family, so ``version`` raises for such a pool;
    select one with ``of_version``.
    """

    blocks: tuple[AddressBlock, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "blocks", tuple(_merged(self.blocks)))

    @property
    def size(self) -> int:
        """The number of addresses in the pool. For an IPv6 /64 it is more than ``len()`` could return."""
        return self._ends[-1] if self.blocks else 0

    @property
    def version(self) -> int | None:
        """The IP version of the pool's addresses, 4 or 6, or None for an empty pool.

        Raises ValueError for a pool of both families.
        """
        versions = {block.version for block in self.blocks}
        if len(versions) > 1:
            raise ValueError(f"{self} has both IPv4 and IPv6 addresses, but a run uses one family; name only one")
        return versions.pop() if versions else None

    def at(self, i: int) -> str:
        """Return the address at index ``i`` of the pool as text; the first has index 0.

        Raises IndexError for an index that is out of range.
        """
        if not 0 <= i < self.size:
            raise IndexError(f"address {i} of {self.size}")
        which = bisect_right(self._ends, i)
        block = self.blocks[which]
        return _name(block.end - (self._ends[which] - i), block.version)

    def index(self, address: str) -> int:
        """Return the index of an address in the pool, from 0.

        Raises ValueError if the address is not in the pool. It uses inet_pton, which takes a twentieth of the time of
        ipaddress: a shard calls this for every connection that ends.
        """
        version, family = (6, AF_INET6) if ":" in address else (4, AF_INET)
        try:
            number = int.from_bytes(inet_pton(family, address))
        except OSError:
            raise ValueError(f"{address} is not an address") from None
        for block, end in zip(self.blocks, self._ends, strict=True):
            if block.version == version and block.first <= number < block.end:
                return end - (block.end - number)
        raise ValueError(f"{address} is not in {self}")

    def take(self, n: int) -> AddressPool:
        """Return a pool of the first ``n`` addresses of this pool, or of all if there are fewer."""
        if n >= self.size:
            return self
        starts = (0, *self._ends)
        return AddressPool(
            tuple(
                AddressBlock(block.first, min(block.count, n - start), block.version)
                for block, start in zip(self.blocks, starts, strict=False)
                if start < n
            )
        )

    def of_version(self, version: int) -> AddressPool:
        """Return a pool of this pool's addresses of one IP version, 4 or 6."""
        return AddressPool(tuple(block for block in self.blocks if block.version == version))

    def networks(self) -> list[str]:
        """Return the smallest list of networks, such as "10.0.0.0/24", that together contain exactly the pool's addresses."""
        return [str(network) for block in self.blocks for network in _networks(block)]

    def without(self, address: str) -> AddressPool:
        """Return this pool less one address, which need not be in the pool. Raises ValueError if the text is not an address."""
        hole = _address(address, address)
        return AddressPool(tuple(piece for block in self.blocks for piece in _split(block, hole)))

    def __str__(self) -> str:
        return ",".join(map(str, self.blocks))

    @cached_property
    def _ends(self) -> tuple[int, ...]:
        """For each block of the pool, the number of addresses from the start of the pool to the end of the block."""
        return tuple(accumulate(block.count for block in self.blocks))


def parse_sources(text: str) -> tuple[AddressBlock | Interface, ...]:
    """Return the address blocks and interfaces in the value of --source, in order: addresses, ranges, CIDRs and interface
    names. Raises ValueError for any other text. A CIDR stands for its usable host addresses. In IPv4 the network and the
    broadcast address are left out (up to /30; /31 and /32 have none, RFC 3021). In IPv6 the first address is left out, the
    routers' anycast address (up to /126; RFC 4291 2.6.1, RFC 6164). A range is used as written.
    """
    return tuple(_source(item.strip(), text) for item in text.split(","))


def _source(item: str, text: str) -> AddressBlock | Interface:
    if not item:
        raise ValueError(f"{text!r} has an empty item; {SOURCE_FORMS}")
    if not _looks_like_an_address(item):
        return _interface(item)
    if "%" in item:
        raise ValueError(f"{item!r} has a scope, and sources have none; use a global or fd00::/8 address")
    if "/" in item:
        return _usable(_cidr(item), item)
    if "-" in item:
        return _usable(_range(item), item)
    address = _address(item, item)
    return _usable(AddressBlock(int(address), 1, address.version), item)


def _looks_like_an_address(item: str) -> bool:
    """Return whether an item of --source is meant as an address rather than an interface.

    Interface names contain no colon or slash. They may contain dots, as "eth0.100" does, but "10.2" is meant as an address.
    """
    return bool(re.search("[:/]", item) or re.match(r"[0-9]+\.[0-9]", item) or re.fullmatch("[0-9.-]+", item))


def _interface(item: str) -> Interface:
    # In argv, bytes that are not UTF-8 are lone surrogates; "replace" encodes each as one byte.
    length = len(item.encode(errors="replace"))
    if length > LONGEST_INTERFACE_NAME or any(map(str.isspace, item)) or "\0" in item:
        raise ValueError(
            f"{item!r} is neither an address nor an interface name of 1 to {LONGEST_INTERFACE_NAME} bytes "
            f"without spaces; {SOURCE_FORMS}"
        )
    return Interface(item)


def _cidr(item: str) -> AddressBlock:
    base, _, prefix = item.partition("/")
    address = _address(base, item)
    bits = address.max_prefixlen
    if not re.fullmatch("[0-9]{1,3}", prefix) or int(prefix) > bits:
        raise ValueError(f"{item!r} has no prefix length from 0 to {bits}; write 10.0.0.0/24 or fd00::/64")
    count = 1 << (bits - int(prefix))
    network = int(address) & -count
    if network != int(address):
        raise ValueError(
            f"{item!r} has host bits set; write {_name(network, address.version)}/{prefix} for the network "
            f"or {address} for the one address"
        )
    if count <= 2:
        return AddressBlock(network, count, address.version)
    return AddressBlock(network + 1, count - (2 if address.version == 4 else 1), address.version)


def _range(item: str) -> AddressBlock:
    head, _, tail = map(str.strip, item.partition("-"))
    first = _address(head, item)
    if first.version == 4 and re.fullmatch("[0-9]+", tail):
        tail = f"{head.rpartition('.')[0]}.{tail}"
    last = _address(tail, item)
    if first.version != last.version:
        raise ValueError(f"{item!r} spans two address families; {SOURCE_FORMS}")
    if int(last) < int(first):
        raise ValueError(f"{item!r} runs backwards; write {last}-{first}")
    return AddressBlock(int(first), int(last) - int(first) + 1, first.version)


def _address(text: str, item: str) -> IPAddress:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        which = f"{text!r} in {item!r}" if text != item else repr(item)
        raise ValueError(f"{which} is not an address; {SOURCE_FORMS}") from None


def _usable(block: AddressBlock, item: str) -> AddressBlock:
    for network, why in UNUSABLE:
        first, last = int(network[0]), int(network[-1])
        if network.version == block.version and block.first <= last and first < block.end:
            met = _name(max(first, block.first), block.version)
            raise ValueError(f"{met} {why}" if met == item else f"{met} in {item!r} {why}")
    return block


def _merged(blocks: Iterable[AddressBlock]) -> Iterator[AddressBlock]:
    """Yield the addresses of some blocks as ascending, disjoint blocks, as few as possible."""
    waiting: AddressBlock | None = None
    for block in sorted(blocks, key=lambda block: (block.version, block.first)):
        if waiting and waiting.version == block.version and block.first <= waiting.end:
            end = max(waiting.end, block.end)
            waiting = AddressBlock(waiting.first, end - waiting.first, waiting.version)
            continue
        if waiting:
            yield waiting
        waiting = block
    if waiting:
        yield waiting


def _split(block: AddressBlock, hole: IPAddress) -> Iterator[AddressBlock]:
    before = int(hole) - block.first
    if hole.version != block.version or not 0 <= before < block.count:
        yield block
        return
    if before:
        yield AddressBlock(block.first, before, block.version)
    if after := block.count - before - 1:
        yield AddressBlock(int(hole) + 1, after, block.version)


def _networks(block: AddressBlock) -> Iterator[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    kind = ipaddress.IPv4Address if block.version == 4 else ipaddress.IPv6Address
    return ipaddress.summarize_address_range(kind(block.first), kind(block.end - 1))


def _name(address: int, version: int) -> str:
    if version == 6:
        return str(ipaddress.IPv6Address(address))
    # Written out because a shard may call it for every connection: str(IPv4Address(..)) takes 1.8 us, this takes 0.7.
    return f"{address >> 24}.{address >> 16 & 255}.{address >> 8 & 255}.{address & 255}"
