"""Source addresses: what people write, what is nobody's source, and pools against lists of every address."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c1m.net.addresses import AddressBlock, AddressPool, Interface, parse_sources

# Small pools of a crowded corner, so that blocks meet, touch and overlap often.
CORNER = {4: int(ipaddress.ip_address("10.0.0.0")), 6: int(ipaddress.ip_address("fd00::"))}
VERSIONS = st.sampled_from([4, 6])


def block(first: str, last: str) -> AddressBlock:
    start, end = ipaddress.ip_address(first), ipaddress.ip_address(last)
    return AddressBlock(int(start), int(end) - int(start) + 1, start.version)


@st.composite
def blocks_of(draw: st.DrawFn, versions: st.SearchStrategy[int] = VERSIONS) -> AddressBlock:
    version = draw(versions)
    return AddressBlock(CORNER[version] + draw(st.integers(0, 40)), draw(st.integers(1, 12)), version)


BLOCKS = st.lists(blocks_of(), max_size=6).map(tuple)


def naive(blocks: tuple[AddressBlock, ...]) -> list[str]:
    """The model: every address written out, once, in ascending order, IPv4 first."""
    each = {(b.version, b.first + i) for b in blocks for i in range(b.count)}
    families = {4: ipaddress.IPv4Address, 6: ipaddress.IPv6Address}
    return [str(families[version](address)) for version, address in sorted(each)]


def listed(pool: AddressPool) -> list[str]:
    return [pool.at(i) for i in range(pool.size)]


def parsed_or_refused(parse: Callable[[str], object], text: str) -> object:
    try:
        return parse(text)
    except ValueError as error:
        return error


@pytest.mark.parametrize(
    ("text", "first", "last", "reason"),
    [
        ("10.0.0.10", "10.0.0.10", "10.0.0.10", "one address"),
        ("10.0.0.10-10.0.0.25", "10.0.0.10", "10.0.0.25", "a range has both its ends"),
        ("10.0.0.10-25", "10.0.0.10", "10.0.0.25", "the short form"),
        ("10.0.0.10 - 25", "10.0.0.10", "10.0.0.25", "with air"),
        ("10.0.0.10-10", "10.0.0.10", "10.0.0.10", "a range of one"),
        ("10.0.0.0-10.0.1.255", "10.0.0.0", "10.0.1.255", "a range is taken as written"),
        ("10.201.0.0/16", "10.201.0.1", "10.201.255.254", "no network address, no broadcast address"),
        ("10.0.0.0/30", "10.0.0.1", "10.0.0.2", "the longest prefix that has them"),
        ("10.0.0.0/31", "10.0.0.0", "10.0.0.1", "RFC 3021: two hosts"),
        ("10.0.0.5/32", "10.0.0.5", "10.0.0.5", "one host"),
        ("127.0.0.0/8", "127.0.0.1", "127.255.255.254", "the whole of loopback"),
        ("240.0.0.0/16", "240.0.0.1", "240.0.255.254", "class E works on Linux since 2.6.25"),
        ("fd00::1", "fd00::1", "fd00::1", "one v6 address"),
        ("FD00::A-fd00::ff", "fd00::a", "fd00::ff", "a v6 range"),
        ("fd00::/64", "fd00::1", "fd00::ffff:ffff:ffff:ffff", "no anycast; v6 has no broadcast"),
        ("fd00::/126", "fd00::1", "fd00::3", "the longest prefix that has it"),
        ("fd00::/127", "fd00::", "fd00::1", "RFC 6164: two hosts"),
        ("fd00::5/128", "fd00::5", "fd00::5", "one host"),
        ("::1", "::1", "::1", "loopback"),
        ("2000::/3", "2000::1", "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2**125 addresses cost nothing"),
    ],
)
def test_one_block(text: str, first: str, last: str, reason: str) -> None:
    assert parse_sources(text) == (block(first, last),), reason


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("eth0", "the usual"),
        ("eth0.100", "a VLAN"),
        ("br-1f2e3d4c5b6a", "Docker's bridges are exactly 15 long"),
        ("veth-10.0.0.1", "an address in a name is a name"),
        ("wg_a@b", "Linux forbids only a slash, a colon and whitespace"),
        ("3g-wan", "a name may begin with a digit"),
        ("éééé", "names are bytes, and these are 8"),
    ],
)
def test_interfaces(name: str, reason: str) -> None:
    assert parse_sources(name) == (Interface(name),), reason


def test_items_keep_their_order() -> None:
    assert parse_sources("eth1, 10.0.0.9,eth0,10.0.0.1-2") == (
        Interface("eth1"),
        block("10.0.0.9", "10.0.0.9"),
        Interface("eth0"),
        block("10.0.0.1", "10.0.0.2"),
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        # What looks like an address is never taken for the name of an interface.
        ("300.1.1.1", "'300.1.1.1' is not an address; write 10.0.0.10"),
        ("10.0.0.256", "'10.0.0.256' is not an address"),
        ("10.0.0", "'10.0.0' is not an address"),
        ("10.0.0.x", "'10.0.0.x' is not an address"),
        ("10.2x", "'10.2x' is not an address"),
        ("10.0.0.010", "'10.0.0.010' is not an address"),  # octal to some, decimal to others
        ("167772170", "'167772170' is not an address"),  # 10.0.0.10 to inet_aton()
        ("10.0.0.1:80", "'10.0.0.1:80' is not an address"),
        ("fe80::zz", "'fe80::zz' is not an address"),
        ("[fd00::1]", "'[fd00::1]' is not an address; write"),
        ("..", "'..' is not an address"),
        ("-", "'' in '-' is not an address"),
        # Ranges
        ("10.0.0.10-256", "'10.0.0.256' in '10.0.0.10-256' is not an address"),
        ("10.0.0.10-", "'' in '10.0.0.10-' is not an address"),
        ("10.0.0.10-eth0", "'eth0' in '10.0.0.10-eth0' is not an address"),
        ("10.0.0.1-2-3", "'2-3' in '10.0.0.1-2-3' is not an address"),
        ("fd00::1-5", "'5' in 'fd00::1-5' is not an address"),  # is it 5 or ::5 or fd00::5?
        ("10.0.0.25-10.0.0.10", "runs backwards; write 10.0.0.10-10.0.0.25"),
        ("10.0.0.25-10", "runs backwards; write 10.0.0.10-10.0.0.25"),
        ("10.0.0.1-fd00::1", "spans two address families"),
        # CIDRs
        ("10.0.0.0/33", "no prefix length from 0 to 32; write 10.0.0.0/24"),
        ("fd00::/129", "no prefix length from 0 to 128"),
        ("10.0.0.0/", "no prefix length from 0 to 32"),
        ("10.0.0.0/255.255.0.0", "no prefix length from 0 to 32"),  # ipaddress would take it
        ("10.0.0.0/٨", "no prefix length from 0 to 32"),
        ("eth0/24", "'eth0' in 'eth0/24' is not an address"),
        ("10.201.0.5/16", "host bits set; write 10.201.0.0/16 for the network or 10.201.0.5 for the one"),
        ("fd00::5/64", "host bits set; write fd00::/64 for the network or fd00::5 for the one"),
        # Nobody's source
        ("0.0.0.0", "0.0.0.0 is the unspecified address"),
        ("0.0.0.0/0", "127.255.255.255 in '0.0.0.0/0' is a broadcast address"),
        ("224.0.0.1", "224.0.0.1 is multicast"),
        ("223.255.255.250-224.0.0.5", "224.0.0.0 in '223.255.255.250-224.0.0.5' is multicast"),
        ("255.255.255.255", "255.255.255.255 is a broadcast address"),
        ("127.255.255.250-255", "127.255.255.255 in '127.255.255.250-255' is a broadcast address"),
        ("::", ":: is the unspecified address"),
        ("::/0", "is IPv4 written as IPv6"),
        ("ff02::1", "ff02::1 is multicast"),
        ("::ffff:10.0.0.10", "is IPv4 written as IPv6; write it as IPv4"),
        ("fe80::1", "fe80::1 is link-local"),
        ("fe80::/64", "fe80::1 in 'fe80::/64' is link-local"),
        ("fe80::1%eth0", "'fe80::1%eth0' has a scope, and sources have none; use a global or fd00::/8"),
        # Names
        ("", "'' has an empty item"),
        ("10.0.0.1,,eth0", "'10.0.0.1,,eth0' has an empty item"),
        ("eth0,", "'eth0,' has an empty item"),
        ("sixteen-letters-", "'sixteen-letters-' is neither an address nor an interface name of 1 to 15"),
        ("éééééééé", "is neither an address nor an interface name"),  # 8 letters are 16 bytes
        ("eth0 eth1", "'eth0 eth1' is neither an address nor an interface name"),
    ],
)
def test_refused_sources(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)):
        parse_sources(text)


@pytest.mark.parametrize(
    ("first", "count", "version"),
    [
        (0, 0, 4),  # no addresses
        (-1, 2, 4),  # before the first
        (2**32 - 1, 2, 4),  # beyond the last of IPv4
        (2**128 - 1, 2, 6),  # beyond the last of IPv6
        (1, 1, 5),  # no such version
    ],
)
def test_blocks_of_no_addresses(first: int, count: int, version: int) -> None:
    with pytest.raises(ValueError, match=f"{count} addresses from {first} on are not a block of IPv{version}"):
        AddressBlock(first, count, version)


def test_huge_pools_cost_nothing() -> None:
    """Were one of them expanded, memory would end before the test did."""
    pool = AddressPool((block("fd00::1", "fd00::ffff:ffff:ffff:ffff"), block("fd01::", "fd01:ffff::")))

    assert pool.size == 2**64 - 1 + 0xFFFF * 2**96 + 1
    assert pool.at(2**64 - 2) == "fd00::ffff:ffff:ffff:ffff"
    assert pool.at(2**64 - 1) == "fd01::"
    assert pool.at(pool.size - 1) == "fd01:ffff::"
    assert pool.without("fd01::").take(2**65).size == 2**65


def test_a_run_uses_one_family() -> None:
    mixed = AddressPool((block("10.0.0.1", "10.0.0.2"), block("fd00::1", "fd00::1")))

    assert AddressPool().version is None
    assert mixed.of_version(4).version == 4
    assert mixed.of_version(6).version == 6
    with pytest.raises(
        ValueError, match=r"10\.0\.0\.1-10\.0\.0\.2,fd00::1 has both IPv4 and IPv6 addresses, but a run uses one"
    ):
        _ = mixed.version


def test_one_number_is_two_addresses() -> None:
    """10.0.0.1 and ::a00:1 are the same integer."""
    both = AddressPool((block("10.0.0.1", "10.0.0.1"), block("::a00:1", "::a00:1")))

    assert listed(both.without("10.0.0.1")) == ["::a00:1"]
    assert listed(both.without("::a00:1")) == ["10.0.0.1"]


def test_without_what_is_no_address() -> None:
    with pytest.raises(ValueError, match="'eth0' is not an address"):
        AddressPool().without("eth0")


@given(BLOCKS)
def test_at_names_each_address_once(blocks: tuple[AddressBlock, ...]) -> None:
    assert listed(AddressPool(blocks)) == naive(blocks)


@given(BLOCKS, st.randoms(use_true_random=False))
def test_the_same_addresses_are_the_same_pool(blocks: tuple[AddressBlock, ...], dice: Random) -> None:
    ones = [AddressBlock(b.first + i, 1, b.version) for b in blocks for i in range(b.count)]
    dice.shuffle(ones)

    assert AddressPool(tuple(ones)) == AddressPool(blocks)


@given(BLOCKS, st.integers(0, 80))
def test_take_is_the_beginning(blocks: tuple[AddressBlock, ...], n: int) -> None:
    assert listed(AddressPool(blocks).take(n)) == naive(blocks)[:n]


@given(BLOCKS, blocks_of())
def test_without_loses_that_address_and_no_other(blocks: tuple[AddressBlock, ...], other: AddressBlock) -> None:
    address = naive((other,))[0]

    rest = AddressPool(blocks).without(address)

    assert listed(rest) == [each for each in naive(blocks) if each != address]


@given(BLOCKS, VERSIONS)
def test_of_version_keeps_that_family(blocks: tuple[AddressBlock, ...], version: int) -> None:
    kept = AddressPool(blocks).of_version(version)

    assert listed(kept) == [each for each in naive(blocks) if ipaddress.ip_address(each).version == version]


@given(BLOCKS, st.integers())
def test_there_is_nothing_outside_a_pool(blocks: tuple[AddressBlock, ...], beyond: int) -> None:
    pool = AddressPool(blocks)

    with pytest.raises(IndexError):
        pool.at(beyond if beyond < 0 else pool.size + beyond)


@given(BLOCKS.filter(bool))
def test_a_pool_survives_being_written_and_read(blocks: tuple[AddressBlock, ...]) -> None:
    pool = AddressPool(blocks)

    assert parse_sources(str(pool)) == pool.blocks


@given(st.integers(8, 30), st.integers(0, 2**32 - 1))
def test_a_cidr_is_the_hosts_of_its_network(prefix: int, seed: int) -> None:
    """Against ipaddress's own idea of hosts; within 10.0.0.0/8, where every address may be a source."""
    network = ipaddress.IPv4Network((CORNER[4] | seed & 0x00FFFFFF, prefix), strict=False)

    (hosts,) = parse_sources(str(network))

    assert hosts == AddressBlock(int(network[1]), network.num_addresses - 2, 4)


# Text that is nearly right finds more than text that is merely random.
NEARLY = st.text("0123456789.:-/,%[]afet \udc80", max_size=20) | st.lists(
    st.sampled_from(["10.0.0.1", "fd00::1", "/", "-", ",", "24", "128", "eth0", ":", "%", "::", "255.255.255.255"]),
    max_size=6,
).map("".join)


@given(st.text() | st.text(st.characters(categories=["Cs", "Zs", "Nd"])) | NEARLY)
def test_any_text_is_sources_or_a_sentence(text: str) -> None:
    outcome = parsed_or_refused(parse_sources, text)

    assert isinstance(outcome, tuple) or type(outcome) is ValueError
    assert not isinstance(outcome, ValueError) or len(str(outcome).split()) >= 5


@given(NEARLY)
def test_what_was_read_can_be_written(text: str) -> None:
    outcome = parsed_or_refused(parse_sources, text)

    if isinstance(outcome, tuple):
        assert parse_sources(",".join(map(str, outcome))) == outcome
