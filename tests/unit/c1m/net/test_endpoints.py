"""HOST:PORT as people write it, and that c1m reads what it writes."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c1m.net.endpoints import Endpoint, HostPort, parse_endpoint, parse_host_port
from c1m.net.ports import PortRanges

HOSTS = st.one_of(
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
    st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?(\.[a-z]([a-z0-9-]{0,20}[a-z0-9])?){0,3}", fullmatch=True),
)
PORTS = st.integers(1, 65_535)

# Text that is nearly right finds more than text that is merely random.
NEARLY = st.lists(
    st.sampled_from(["10.0.0.1", "fd00::1", "srv", "[", "]", ":", "::", "80", "-", ",", "0", "70000", "%", ".", " "]),
    max_size=6,
).map("".join)


def parsed_or_refused(parse: Callable[[str], object], text: str) -> object:
    try:
        return parse(text)
    except ValueError as error:
        return error


@pytest.mark.parametrize(
    ("text", "host", "ranges", "reason"),
    [
        ("10.0.0.5:80", "10.0.0.5", ((80, 80),), "an address and a port"),
        ("srv:80", "srv", ((80, 80),), "a name"),
        ("srv.example.com.:80", "srv.example.com.", ((80, 80),), "a name with its root"),
        ("my_srv:80", "my_srv", ((80, 80),), "container networks write underscores"),
        ("10.0.0.5:9000-9010", "10.0.0.5", ((9000, 9010),), "a range of ports"),
        ("srv:80,9000-9010", "srv", ((80, 80), (9000, 9010)), "ports as everywhere in c1m"),
        ("[fd00::1]:9000-9010", "fd00::1", ((9000, 9010),), "v6 in brackets"),
        ("[FD00:0::1]:80", "fd00::1", ((80, 80),), "in its short form"),
        (" srv:80\n", "srv", ((80, 80),), "space around it is not part of it"),
    ],
)
def test_endpoints(text: str, host: str, ranges: tuple[tuple[int, int], ...], reason: str) -> None:
    assert parse_endpoint(text) == Endpoint(host, PortRanges(ranges)), reason


@pytest.mark.parametrize(
    ("text", "default", "host", "port", "reason"),
    [
        ("a:7100", None, "a", 7100, "a name and a port"),
        ("a:7100", 7200, "a", 7100, "what is written goes before what is not"),
        ("a", 7100, "a", 7100, "the default"),
        ("10.0.0.5", 7100, "10.0.0.5", 7100, "... of an address"),
        ("[::1]", 7100, "::1", 7100, "... of a v6 address"),
        ("[::1]:7100", None, "::1", 7100, "v6 in brackets"),
        ("0.0.0.0:7100", None, "0.0.0.0", 7100, "every IPv4 address, for listening"),
        ("[::]:7100", None, "::", 7100, "every address, for listening"),
    ],
)
def test_host_ports(text: str, default: int | None, host: str, port: int, reason: str) -> None:
    assert parse_host_port(text, default) == HostPort(host, port), reason


BOTH = pytest.mark.parametrize("parse", [parse_endpoint, parse_host_port])


@BOTH
@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "names no host; write .+ with 0.0.0.0 to listen on every IPv4 address"),
        (":80", "names no host"),
        ("srv", "has no port; write"),
        ("10.0.0.5", "has no port; write"),
        ("[fd00::1]", "has no port; write"),
        ("::1", r"has more than one colon; IPv6 addresses go in brackets: write .+ \[fd00::1\]"),
        ("fd00::1:80", "IPv6 addresses go in brackets"),  # is 80 its port or its end?
        ("srv:80:90", "has more than one colon"),
        ("http://srv:80", "has more than one colon"),
        ("[fd00::1", "brackets that are not closed, or not followed by a colon"),
        ("[fd00::1]80", "brackets that are not closed, or not followed by a colon"),
        ("[]:80", "has no IPv6 address in its brackets; write \\[fd00::1\\]:80"),
        ("[10.0.0.5]:80", "has no IPv6 address in its brackets"),
        ("[fd00::zz]:80", "has no IPv6 address in its brackets"),
        ("[fe80::1%eth0]:80", "has a scope, which c1m does not support"),
        ("10.0.0.256:80", "does not begin with an IPv4 address"),
        ("10.1:80", "does not begin with an IPv4 address"),  # 10.0.0.1 to inet_aton()
        ("10.0.0.010:80", "does not begin with an IPv4 address"),  # 10.0.0.8 to inet_aton()
        ("2130706433:80", "does not begin with an IPv4 address"),  # 127.0.0.1 to inet_aton()
        ("10.0.0.5.:80", "does not begin with an IPv4 address"),
        ("a b:80", "does not begin with a host name or an address"),
        ("-srv:80", "does not begin with a host name or an address"),
        ("a..b:80", "does not begin with a host name or an address"),
        ("srv/:80", "does not begin with a host name or an address"),
        ("sérv:80", "does not begin with a host name or an address"),
        (f"{'a' * 64}:80", "does not begin with a host name or an address"),
        (f"{'a.' * 127}:80", "does not begin with a host name or an address"),
    ],
)
def test_refused_hosts(parse: Callable[[str], object], text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as refusal:
        parse(text)

    assert str(refusal.value).startswith(repr(text))


@BOTH
@pytest.mark.parametrize("port", ["", "0", "65536", "x", "-1", "+1", "8e1", "٨٠", "80-", "000080"])
def test_refused_ports(parse: Callable[[str], object], port: str) -> None:
    with pytest.raises(ValueError, match=r"65535"):
        parse(f"srv:{port}")


def test_a_port_range_is_no_port() -> None:
    with pytest.raises(ValueError, match=r"'srv:80-90' has no port from 1 to 65535; write 10\.0\.0\.5:7100"):
        parse_host_port("srv:80-90")


def test_a_default_does_not_mend_a_bare_v6_address() -> None:
    with pytest.raises(ValueError, match="'::1' has more than one colon; IPv6 addresses go in brackets"):
        parse_host_port("::1", 7100)


def test_a_default_does_not_mend_a_lost_port() -> None:
    with pytest.raises(ValueError, match="'a:' has no port from 1 to 65535"):
        parse_host_port("a:", 7100)


def test_port_zero_is_for_listening_only() -> None:
    assert parse_host_port("127.0.0.1:0", allow_zero=True) == HostPort("127.0.0.1", 0)
    with pytest.raises(ValueError, match=r"'127\.0\.0\.1:0' has no port from 1 to 65535"):
        parse_host_port("127.0.0.1:0")
    with pytest.raises(ValueError, match="has no port from 0 to 65535"):
        parse_host_port("127.0.0.1:65536", allow_zero=True)


@pytest.mark.parametrize(
    ("host", "loopback", "reason"),
    [
        ("127.0.0.1", True, "the usual"),
        ("127.200.3.4", True, "all of 127.0.0.0/8"),
        ("::1", True, "v6"),
        ("localhost", True, "the one name that means it"),
        ("LocalHost", True, "names have no case"),
        ("0.0.0.0", False, "every address, the outer ones too"),
        ("::", False, "every address"),
        ("10.0.0.1", False, "a network's"),
        ("localhost.example.com", False, "somebody's"),
        ("lo", False, "not looked up, whatever it may turn out to be"),
    ],
)
def test_loopback_by_its_letters(host: str, loopback: bool, reason: str) -> None:
    assert HostPort(host, 7100).is_loopback is loopback, reason


@given(HOSTS, st.lists(st.tuples(PORTS, PORTS).map(sorted), min_size=1, max_size=4))
def test_an_endpoint_survives_being_written_and_read(host: str, ranges: list[list[int]]) -> None:
    endpoint = Endpoint(host, PortRanges(tuple((first, last) for first, last in ranges)))

    assert parse_endpoint(str(endpoint)) == endpoint


@given(HOSTS, st.integers(0, 65_535))
def test_a_host_port_survives_being_written_and_read(host: str, port: int) -> None:
    written = str(HostPort(host, port))

    assert parse_host_port(written, allow_zero=True) == HostPort(host, port)
    assert written.startswith("[") == (":" in host)


@given(st.ip_addresses())
def test_addresses_are_kept_in_their_short_form(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    written = f"[{address.exploded}]:80" if address.version == 6 else f"{address}:80"

    assert parse_host_port(written).host == str(address)


@BOTH
@given(text=st.text() | NEARLY)
def test_any_text_is_an_endpoint_or_a_sentence(parse: Callable[[str], object], text: str) -> None:
    outcome = parsed_or_refused(parse, text)

    if isinstance(outcome, ValueError):
        assert type(outcome) is ValueError
        assert len(str(outcome).split()) > 5
    else:
        assert parse(str(outcome)) == outcome
