"""sockstat, netstat and snmp: what kernels write, what they never do, and what this one says."""

from __future__ import annotations

import socket
from contextlib import ExitStack, suppress
from string import ascii_letters, digits

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c1m.kernel.sockstat import (
    Counters,
    parse_netstat,
    parse_sockstat,
    read_netstat,
    read_snmp,
    read_sockstat,
    read_sockstat6,
)

# A regular expression as a strategy took fifteen times as long.
NAME = st.builds(str.__add__, st.sampled_from(ascii_letters), st.text(ascii_letters + digits, max_size=12))
COUNTERS = st.dictionaries(NAME, st.dictionaries(NAME, st.integers(-1, 2**64 - 1), min_size=1, max_size=5))

SOCKSTAT_6_18 = """\
sockets: used 96099
TCP: inuse 96084 orphan 0 tw 131073 alloc 96090 mem 285
UDP: inuse 0 mem 0
UDPLITE: inuse 0
RAW: inuse 0
FRAG: inuse 0 memory 0
"""

SOCKSTAT6_6_18 = "TCP6: inuse 2\nUDP6: inuse 0\nUDPLITE6: inuse 0\nRAW6: inuse 0\nFRAG6: inuse 0 memory 0\n"

SOCKSTAT_2_6 = "sockets: used 275\nTCP: inuse 7 orphan 0 tw 1 alloc 9 mem 1\nUDP: inuse 3\nFRAG: inuse 0 memory 0\n"

SNMP_6_18 = """\
Ip: Forwarding DefaultTTL InReceives
Ip: 2 64 2485
IcmpMsg: InType3
IcmpMsg: 1
Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens CurrEstab
Tcp: 1 200 120000 -1 12 2 0
"""

NETSTAT_WRAPPED = """\
TcpExt: SyncookiesSent ListenOverflows
TcpExt: 0 18446744073709551615
IpExt: InOctets
IpExt: 83180768
"""


@pytest.mark.parametrize(
    ("text", "counters", "reason"),
    [
        (
            SOCKSTAT_6_18,
            {
                "sockets": {"used": 96_099},
                "TCP": {"inuse": 96_084, "orphan": 0, "tw": 131_073, "alloc": 96_090, "mem": 285},
                "UDP": {"inuse": 0, "mem": 0},
                "UDPLITE": {"inuse": 0},
                "RAW": {"inuse": 0},
                "FRAG": {"inuse": 0, "memory": 0},
            },
            "6.18, beside a million-connection run",
        ),
        (
            SOCKSTAT6_6_18,
            {
                "TCP6": {"inuse": 2},
                "UDP6": {"inuse": 0},
                "UDPLITE6": {"inuse": 0},
                "RAW6": {"inuse": 0},
                "FRAG6": {"inuse": 0, "memory": 0},
            },
            "sockstat6 has fewer names",
        ),
        (
            SOCKSTAT_2_6,
            {
                "sockets": {"used": 275},
                "TCP": {"inuse": 7, "orphan": 0, "tw": 1, "alloc": 9, "mem": 1},
                "UDP": {"inuse": 3},
                "FRAG": {"inuse": 0, "memory": 0},
            },
            "2.6: UDP without mem, no UDPLITE",
        ),
        ("", {}, "nothing is nothing"),
    ],
)
def test_sockstat_is_parsed(text: str, counters: Counters, reason: str) -> None:
    assert parse_sockstat(text) == counters, reason


@pytest.mark.parametrize(
    ("text", "counters", "reason"),
    [
        (
            SNMP_6_18,
            {
                "Ip": {"Forwarding": 2, "DefaultTTL": 64, "InReceives": 2_485},
                "IcmpMsg": {"InType3": 1},
                "Tcp": {
                    "RtoAlgorithm": 1,
                    "RtoMin": 200,
                    "RtoMax": 120_000,
                    "MaxConn": -1,
                    "ActiveOpens": 12,
                    "PassiveOpens": 2,
                    "CurrEstab": 0,
                },
            },
            "snmp of 6.18; MaxConn is the one negative value",
        ),
        (
            NETSTAT_WRAPPED,
            {
                "TcpExt": {"SyncookiesSent": 0, "ListenOverflows": 2**64 - 1},
                "IpExt": {"InOctets": 83_180_768},
            },
            "counters have 64 bits",
        ),
        ("IcmpMsg:\nIcmpMsg:\n", {"IcmpMsg": {}}, "a group may be empty"),
        ("", {}, "nothing is nothing"),
    ],
)
def test_netstat_is_parsed(text: str, counters: Counters, reason: str) -> None:
    assert parse_netstat(text) == counters, reason


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("TCP inuse 1", "'TCP inuse 1' is not a line of sockstat"),
        ("TCP:", "'TCP:' is not a line"),
        ("TCP: inuse", "'TCP: inuse' is not a line"),
        ("TCP: inuse 1 orphan", "is not a line"),
        ("TCP: inuse one", "'one' in 'TCP: inuse one' is not a counter"),
        ("TCP: inuse 1_0", "'1_0' in"),
        ("TCP: inuse 1\n\nUDP: inuse 1", "'' is not a line"),
    ],
)
def test_what_is_not_sockstat_is_a_value_error(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_sockstat(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Tcp: A B", "1 lines are not netstat"),
        ("Tcp: A B\nTcp: 1", "are not a pair of netstat"),
        ("Tcp: A\nTcp: 1 2", "are not a pair of netstat"),
        ("Tcp: A\nUdp: 1", "are not a pair of netstat"),
        ("Tcp A\nTcp A", "are not a pair of netstat"),
        ("Tcp: A\nTcp: 0x1", "'0x1' in 'Tcp: 0x1' is not a counter"),
        ("Tcp: A\nTcp: " + "9" * 5_000, "is not a counter"),
    ],
)
def test_what_is_not_netstat_is_a_value_error(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_netstat(text)


@given(COUNTERS)
def test_what_a_kernel_writes_is_read_back(counters: Counters) -> None:
    sockstat = "".join(
        f"{group}: {' '.join(f'{name} {value}' for name, value in values.items())}\n" for group, values in counters.items()
    )
    netstat = "".join(
        f"{group}: {' '.join(values)}\n{group}: {' '.join(map(str, values.values()))}\n" for group, values in counters.items()
    )

    assert parse_sockstat(sockstat) == counters
    assert parse_netstat(netstat) == counters


@given(st.text() | st.text("TCP: inuse 012-\n"))
def test_any_text_gives_counters_or_a_value_error(text: str) -> None:
    for parse in (parse_sockstat, parse_netstat):
        with suppress(ValueError):
            assert all(isinstance(n, int) for group in parse(text).values() for n in group.values())


def test_this_kernel_counts_our_sockets() -> None:
    sockstat, sockstat6, netstat, snmp = read_sockstat(), read_sockstat6(), read_netstat(), read_snmp()
    assert sockstat is not None
    assert netstat is not None
    assert snmp is not None
    if sockstat6 is not None:
        assert "inuse" in sockstat6["TCP6"]
    assert {"inuse", "orphan", "tw", "alloc", "mem"} <= sockstat["TCP"].keys()
    assert {"ListenOverflows", "ListenDrops", "TCPTimeouts"} <= netstat["TcpExt"].keys()

    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        client = stack.enter_context(socket.create_connection(listener.getsockname()))
        stack.enter_context(listener.accept()[0])
        now = read_snmp()
        client.close()  # this side closes first and takes the TIME_WAIT

    assert now is not None
    assert now["Tcp"]["ActiveOpens"] > snmp["Tcp"]["ActiveOpens"], "opens only rise, whoever else opens some"
    assert now["Tcp"]["PassiveOpens"] > snmp["Tcp"]["PassiveOpens"]
    assert now["Tcp"]["CurrEstab"] >= 2, "both ends of ours, at least"
