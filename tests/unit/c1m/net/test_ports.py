"""Ports as ranges, against lists of every port; and which ports c1m's explicit binds leave alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c1m.net.ports import PortRanges, client_ports, parse_kernel_ports, parse_port_range, parse_ports

DEFAULT_EPHEMERAL = (32_768, 60_999)  # what Linux starts with
NONE = PortRanges()


def parsed_or_refused(parse: Callable[[str], object], text: str) -> object:
    try:
        return parse(text)
    except ValueError as error:
        return error


def listed(ports: PortRanges) -> list[int]:
    return [ports.at(i) for i in range(ports.size)]


def naive(ranges: tuple[tuple[int, int], ...]) -> list[int]:
    """The model: every port written out, each where it is first named."""
    return list(dict.fromkeys(port for first, last in ranges for port in range(first, last + 1)))


def _pair(ends: list[int]) -> tuple[int, int]:
    return min(ends), max(ends)


def ranges_within(low: int, high: int, most: int = 8) -> st.SearchStrategy[tuple[tuple[int, int], ...]]:
    pairs = st.lists(st.integers(low, high), min_size=2, max_size=2).map(_pair)
    return st.lists(pairs, max_size=most).map(tuple)


# Few ports, so that ranges meet, touch and overlap often.
CROWDED = ranges_within(1, 60)


@pytest.mark.parametrize(
    ("text", "ranges", "reason"),
    [
        ("80", ((80, 80),), "one port"),
        ("9000-9999", ((9000, 9999),), "a range has both its ends"),
        ("80,443,8000-8010", ((80, 80), (443, 443), (8000, 8010)), "several"),
        ("443,80", ((443, 443), (80, 80)), "the order is the person's, not ours"),
        ("80, 443", ((80, 80), (443, 443)), "people put a space after a comma"),
        ("80,80", ((80, 80),), "no port twice"),
        ("8005,8000-8010", ((8005, 8005), (8000, 8004), (8006, 8010)), "... and the first mention counts"),
        ("80,81-90", ((80, 90),), "what goes on is one range"),
        ("1-65535", ((1, 65535),), "all there are"),
        ("00080", ((80, 80),), "no octal"),
    ],
)
def test_ports_as_people_write_them(text: str, ranges: tuple[tuple[int, int], ...], reason: str) -> None:
    assert parse_ports(text).ranges == ranges, reason


@pytest.mark.parametrize(
    ("text", "named", "reason"),
    [
        ("", "''", "no ports are not a list of ports"),
        ("http", "'http'", "services are not looked up"),
        ("80,", "'80,'", "an empty item"),
        ("80-", "'80-'", "half a range"),
        ("80-90-100", "'80-90-100'", "a range and a half"),
        ("-80", "'-80'", "negative"),
        ("8e1", "'8e1'", "not digits"),
        ("٨٠", "'٨٠'", "another script's digits"),
        ("0", "0 ", "port 0 is a question, not a port"),
        ("0-10", "0-10", "... in a range too"),
        ("65536", "65536", "ports have 16 bits"),
        ("1-65536", "1-65536", "... in a range too"),
        ("123456", "'123456'", "longer than any port"),
        ("9999-9000", "9999-9000", "backwards"),
    ],
)
def test_refused_ports(text: str, named: str, reason: str) -> None:
    with pytest.raises(ValueError, match="; write 80, 9000-9999 or 80,443,8000-8010") as refusal:
        parse_ports(text)

    assert str(refusal.value).startswith(named), reason


@pytest.mark.parametrize(
    ("content", "text", "reason"),
    [
        ("\n", "", "nobody reserved anything, as the kernel shows it"),
        ("", "", "... or an empty file"),
        ("8080,9148-9150\n", "8080,9148-9150", "the example of ip-sysctl.rst"),
        ("0-10,12\n", "1-10,12", "the kernel lets people reserve port 0"),
        ("0,12\n", "12", "... alone too"),
    ],
)
def test_reserved_ports_as_the_kernel_writes_them(content: str, text: str, reason: str) -> None:
    assert str(parse_kernel_ports(content)) == text, reason


def test_the_port_range_as_the_kernel_writes_it() -> None:
    assert parse_port_range("32768\t60999\n") == (32768, 60999)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "an empty file"),
        ("32768", "half of it"),
        ("32768\t60999\t1", "too much of it"),
        ("32768-60999", "another file's form"),
        ("60999\t32768", "backwards"),
        ("0\t60999", "port 0"),
        ("32768\t65536", "17 bits"),
        ("٨٠\t90", "another script's digits"),
    ],
)
def test_refused_port_ranges(content: str, reason: str) -> None:
    with pytest.raises(ValueError, match="such as 32768 60999") as refusal:
        parse_port_range(content)

    assert str(refusal.value).startswith(repr(content)), reason


@pytest.mark.parametrize(
    ("ephemeral", "reserved", "text", "reason"),
    [
        ((32768, 60999), "", "1024-32767,61000-65535,32768-59999", "Linux's default"),
        (
            (32768, 60999),
            "8080,9148-9150",
            "1024-8079,8081-9147,9151-32767,61000-65535,32768-59999",
            "reserved",
        ),
        (
            (32768, 60999),
            "60000-60999",
            "1024-32767,61000-65535,32768-58999",
            "what is reserved is not left to others",
        ),
        ((1024, 65535), "", "1024-64535", "the whole of it: nothing outside"),
        ((500, 65535), "", "1024-64535", "beginning below the unprivileged ports"),
        ((10000, 65535), "", "1024-64535", "ending at the top: outside and inside meet, and are one range"),
        ((40000, 43999), "", "1024-39999,44000-65535,40000-42999", "4,000: a thousand is a quarter"),
        ((40000, 40999), "", "1024-39999,41000-65535,40000-40749", "smaller: a quarter"),
        ((40000, 40002), "", "1024-39999,40003-65535,40000-40001", "a quarter of three is one, rounded up"),
        ((40000, 40000), "", "1024-39999,40001-65535", "the only one is others'"),
        ((500, 600), "", "1024-65535", "ending below: nothing to share"),
    ],
)
def test_client_ports(ephemeral: tuple[int, int], reserved: str, text: str, reason: str) -> None:
    assert str(client_ports(ephemeral, parse_kernel_ports(reserved))) == text, reason


@pytest.mark.parametrize("ephemeral", [(0, 100), (60_999, 32_768), (1, 65_536)])
def test_client_ports_of_no_range(ephemeral: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="with ports from 1 to 65535"):
        client_ports(ephemeral, NONE)


@given(CROWDED)
def test_at_walks_each_port_once_where_it_is_first_named(ranges: tuple[tuple[int, int], ...]) -> None:
    ports = PortRanges(ranges)

    assert listed(ports) == naive(ranges)
    assert [port for port in range(62) if port in ports] == sorted(naive(ranges))


@given(CROWDED, CROWDED)
def test_two_are_equal_exactly_when_they_walk_the_same(
    some: tuple[tuple[int, int], ...], others: tuple[tuple[int, int], ...]
) -> None:
    assert (PortRanges(some) == PortRanges(others)) == (naive(some) == naive(others))
    assert PortRanges(some) == PortRanges(tuple((port, port) for port in naive(some)))


@given(CROWDED, CROWDED)
def test_without_keeps_the_order(some: tuple[tuple[int, int], ...], others: tuple[tuple[int, int], ...]) -> None:
    rest = PortRanges(some).without(PortRanges(others))

    assert listed(rest) == [port for port in naive(some) if port not in naive(others)]


@given(CROWDED, st.integers(0, 70))
def test_take_is_the_beginning_of_the_walk(ranges: tuple[tuple[int, int], ...], n: int) -> None:
    assert listed(PortRanges(ranges).take(n)) == naive(ranges)[:n]


@given(CROWDED, st.integers())
def test_there_is_nothing_outside_the_walk(ranges: tuple[tuple[int, int], ...], beyond: int) -> None:
    ports = PortRanges(ranges)
    outside = beyond if beyond < 0 else ports.size + beyond

    with pytest.raises(IndexError):
        ports.at(outside)


@given(ranges_within(1, 65_535).filter(bool))
def test_ports_survive_being_written_and_read(ranges: tuple[tuple[int, int], ...]) -> None:
    ports = PortRanges(ranges)

    assert parse_ports(str(ports)) == ports
    assert parse_kernel_ports(f"{ports}\n") == ports


# Ends far apart, near each other, and at the edges of what a port may be.
EPHEMERAL = st.tuples(st.integers(1, 65_535), st.integers(0, 5_000) | st.integers(0, 65_535)).map(
    lambda start: (start[0], min(65_535, start[0] + start[1]))
)


@given(EPHEMERAL, ranges_within(1, 65_535), st.sampled_from([1, 1024, 1025, 40_000]))
def test_client_ports_leave_alone_what_is_not_theirs(
    ephemeral: tuple[int, int], reserved: tuple[tuple[int, int], ...], low: int
) -> None:
    first, last = ephemeral
    kept = set(naive(reserved))
    shared = [port for port in range(max(first, low), last + 1) if port not in kept]
    outside = [port for port in range(low, 65_536) if port not in kept and not first <= port <= last]
    left = shared[-min(1_000, (len(shared) + 3) // 4) :] if shared else []

    walked = naive(client_ports(ephemeral, PortRanges(reserved), low).ranges)

    assert walked == outside + shared[: len(shared) - len(left)]
    assert not kept & set(walked)
    assert not set(left) & set(walked)
    assert min(walked, default=low) >= low


def test_many_odd_reserved_ports_cost_little() -> None:
    """The worst that ip_local_reserved_ports can hold: quadratic work on it would run into the timeout."""
    odd = parse_kernel_ports(",".join(str(port) for port in range(1, 65_536, 2)))

    ports = client_ports(DEFAULT_EPHEMERAL, odd)

    assert ports.size == (65_536 - 1_024) // 2 - 1_000
    assert all(ports.at(i) % 2 == 0 for i in range(ports.size))


@given(
    st.sampled_from([parse_ports, parse_kernel_ports, parse_port_range]),
    st.text() | st.text("0123456789,- \t\n٨", max_size=14),
)
def test_any_text_is_ports_or_a_sentence(parse: Callable[[str], object], text: str) -> None:
    outcome = parsed_or_refused(parse, text)

    assert isinstance(outcome, PortRanges | tuple) or type(outcome) is ValueError
    assert not isinstance(outcome, ValueError) or len(str(outcome).split()) > 5
