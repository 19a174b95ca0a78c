"""What a worker lets a run do: its allow list, its quotas and its source addresses."""

from __future__ import annotations

import ipaddress
import math
import socket
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from c1m.errors import RefusedError, UsageError
from c1m.net.addresses import AddressBlock, AddressPool, Interface
from c1m.schedule.node_schedule import NodeSchedule
from c1m.schedule.ring import RingShare
from c1m.schedule.schedule import NANOSECONDS, Arrival, Revision, Schedule, Stage
from c1m.text.units import parse_count
from c1m.traffic.backoff import Backoff
from c1m.traffic.distribution import Distribution
from c1m.traffic.storm import Storm
from c1m.traffic.turnover import Turnover
from c1m.worker.node import sources
from c1m.worker.node.allow_list import AllowList, networks_of, parse_allowance, refusal
from c1m.worker.node.quotas import Quotas, of_one_at_least

# -- the allow list


@pytest.mark.parametrize(
    ("written", "inside", "outside"),
    [
        ("10.0.0.5", [("10.0.0.5", 1), ("10.0.0.5", 65_535)], [("10.0.0.6", 1)]),
        ("10.0.0.5:80", [("10.0.0.5", 80)], [("10.0.0.5", 81), ("10.0.0.4", 80)]),
        ("10.0.0.0/24", [("10.0.0.255", 1)], [("10.0.1.0", 1)]),
        ("10.0.0.0/24:80-82", [("10.0.0.9", 82)], [("10.0.0.9", 83), ("10.0.1.0", 80)]),
        ("fd00::1", [("fd00::1", 80)], [("fd00::2", 80)]),
        ("[fd00::1]:80", [("fd00::1", 80)], [("fd00::1", 81)]),
        ("fd00::/64", [("fd00::9", 1)], [("fd00:0:0:1::", 1)]),
        ("[fd00::/64]:80", [("fd00::9", 80)], [("fd00::9", 81)]),
        ("localhost:80", [("127.0.0.1", 80)], [("127.0.0.1", 81), ("127.0.0.2", 80)]),
        ("localhost", [("127.0.0.1", 9)], [("127.0.0.2", 9)]),
    ],
)
def test_a_rule_covers_what_it_names(written: str, inside: list[Any], outside: list[Any]) -> None:
    rule = parse_allowance(written)
    networks = networks_of(rule.host)
    assert [each for each in inside + outside if rule.covers(each, networks)] == inside
    assert AllowList((), (rule,)).beyond(inside + outside, slow=True) == outside


@pytest.mark.parametrize(
    "written", ["", "10.0.0.0/33", "10.0.0.1/24", "a b", "10.0.0.0/24:0", "10.0.0.0/24:x", "[fd00::/64", "/"]
)
def test_what_is_no_rule_is_a_sentence(written: str) -> None:
    with pytest.raises(ValueError, match=r"write 10\.0\.0\.5"):
        parse_allowance(written)


def test_loopback_may_be_loaded_but_not_by_slow_clients() -> None:
    there = [("127.0.0.1", 80), ("127.9.9.9", 80), ("::1", 80), ("10.0.0.5", 80)]
    assert AllowList().beyond(there, slow=False) == [("10.0.0.5", 80)]
    assert AllowList().beyond(there, slow=True) == there
    plain = AllowList((parse_allowance("10.0.0.5"),), ())
    assert plain.beyond(there, slow=False) == []
    assert plain.beyond(there, slow=True) == there
    slow = AllowList((), (parse_allowance("10.0.0.5"),))
    assert slow.beyond(there, slow=False) == [], "who may be held up may be loaded"
    assert slow.beyond(there, slow=True) == there[:3]


def test_a_name_without_an_address_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(UsageError, match="--allow nowhere: Name or service not known"):
        networks_of("nowhere")


def test_a_refusal_says_how_to_allow_it() -> None:
    assert refusal(("10.0.0.5", 80), "", slow=False).endswith("start it with --allow 10.0.0.5:80")
    sentence = refusal(("fd00::1", 80), "it answered nothing", slow=True)
    assert sentence.startswith("[fd00::1]:80 did not prove to be a c1m-target of this run (it answered nothing)")
    assert sentence.endswith("slow clients may hold it up; start it with --allow-slow [fd00::1]:80")


# -- quotas


def schedule(*stages: tuple[int, float], arrival: Arrival = Arrival.CONSTANT, share: int = 50) -> NodeSchedule:
    """Return the schedule of a run of 100, of which the node has ``share``."""
    wanted = Schedule(tuple(Stage(total, round(seconds * NANOSECONDS)) for total, seconds in stages))
    return NodeSchedule((RingShare(100, 0, share),), Revision(wanted), arrival)


def fixed(seconds: float) -> Distribution:
    return Distribution("fixed", seconds, seconds)


@pytest.mark.parametrize(
    ("quotas", "following", "turnover", "sentence"),
    [
        (Quotas(connections=50), schedule((100, 0)), None, None),
        (Quotas(connections=49), schedule((100, 0)), None, "is to open 50 connections, and may open 49"),
        (Quotas(rate=5.0), schedule((100, 10)), None, None),
        (Quotas(rate=4.9), schedule((100, 10)), None, "is to open 5 connections a second at times, and may open 5"),
        (Quotas(rate=5.0), schedule((100, 10), (0, 0), (100, 9)), None, "may open 5"),
        (Quotas(rate=50.0), schedule((100, 0)), None, "at once"),
        (Quotas(rate=50.0), schedule((100, 10), arrival=Arrival.CLOSED_LOOP), None, "as fast as it can"),
        (Quotas(rate=5.0), schedule((100, 10)), Turnover(lifetime=fixed(10)), None),
        (Quotas(rate=5.0), schedule((100, 10)), Turnover(lifetime=fixed(9)), "is to replace 6 connections a second"),
        (Quotas(rate=5.0), schedule((100, 10)), Turnover(lifetime=fixed(9), downtime=fixed(1)), None),
        (Quotas(rate=5.0), schedule((100, 10)), Turnover(storms=(Storm(5, 0.5, 5.0),)), None),
        (Quotas(rate=5.0), schedule((100, 10)), Turnover(storms=(Storm(5, 0.5, 50.0), Storm(9, 0.5, 4.0))), "is to replace 6"),
        (Quotas(rate=5.0), schedule((100, 10)), Turnover(storms=(Storm(5, 0.5, 0.0),)), "is to replace"),
        (Quotas(rate=5.0), schedule((100, 10)), Turnover(backoff=Backoff(1, 2)), "how often --reopen tries is not known"),
        (Quotas(), schedule((100, 0), arrival=Arrival.CLOSED_LOOP), Turnover(backoff=Backoff(1, 2)), None),
    ],
)
def test_quotas_bound_size_and_rate(
    quotas: Quotas, following: NodeSchedule, turnover: Turnover | None, sentence: str | None
) -> None:
    if sentence is None:
        quotas.check(following, turnover, 0.0)
        return
    with pytest.raises(RefusedError, match=sentence):
        quotas.check(following, turnover, 0.0)


def test_quotas_bound_bandwidth() -> None:
    quotas = Quotas(bandwidth=1e6)
    quotas.check_bandwidth(1e6)
    quotas.check_bandwidth(1e6 * (1 + 1e-12))
    Quotas().check_bandwidth(math.inf)
    with pytest.raises(RefusedError, match=r"is to send 1\.1 Mbit/s at times, and may send 1 Mbit/s"):
        quotas.check_bandwidth(1.1e6)
    with pytest.raises(RefusedError, match="is not known before it"):
        quotas.check_bandwidth(math.inf)


def test_however_little_it_may_send_it_closes_one_a_second() -> None:
    assert Quotas(bandwidth=1.0).close_rate(0.0, reset=True, version=4) == 1.0
    assert Quotas(bandwidth=1.0).close_rate(0.5, reset=True, version=4) == 0.5


def test_a_quota_below_one_is_no_quota() -> None:
    parse = of_one_at_least(parse_count)
    assert parse("1") == 1
    with pytest.raises(ValueError, match="lets no run open anything here"):
        parse("0")


# -- sources

INTERFACES: dict[str, list[tuple[int, str, str | None]]] = {
    "lo": [(socket.AF_INET, "127.0.0.1", "255.0.0.0"), (socket.AF_INET6, "::1", "ffff:" * 7 + "ffff")],
    "eth0": [
        (socket.AF_INET, "10.0.0.5", "255.255.255.0"),
        (socket.AF_INET, "10.0.0.6", "255.255.255.0"),
        (socket.AF_INET6, "fe80::1%eth0", "ffff:ffff:ffff:ffff::"),
        (socket.AF_INET6, "fd00::5", "ffff:ffff:ffff:ffff::"),
        (socket.AF_PACKET, "00:11:22:33:44:55", None),
    ],
}


@pytest.fixture
def interfaces(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {
        name: [SimpleNamespace(family=family, address=address, netmask=mask) for family, address, mask in entries]
        for name, entries in INTERFACES.items()
    }
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: found)


def names(pool: AddressPool) -> list[str]:
    return [pool.at(index) for index in range(pool.size)]


@pytest.mark.usefixtures("interfaces")
def test_an_interface_stands_for_its_addresses() -> None:
    pool = sources.resolve([Interface("eth0"), AddressBlock(10 << 24 | 99, 2, 4)])
    assert names(pool.of_version(4)) == ["10.0.0.5", "10.0.0.6", "10.0.0.99", "10.0.0.100"]
    assert names(pool.of_version(6)) == ["fd00::5"]
    with pytest.raises(UsageError, match="has no interface 'eth9', it has eth0, lo"):
        sources.resolve([Interface("eth9")])


@pytest.mark.usefixtures("interfaces")
def test_toward_a_destination_they_are_those_of_the_interface_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "source_toward", lambda destination: "fd00::5" if ":" in destination else "10.0.0.6")
    assert names(sources.toward("10.9.9.9")) == ["10.0.0.5", "10.0.0.6"]
    assert names(sources.toward("fd99::1")) == ["fd00::5"]
    monkeypatch.setattr(sources, "source_toward", lambda _: "10.7.7.7")
    assert names(sources.toward("10.9.9.9")) == ["10.7.7.7"], "an address that no interface has, such as one made local"


def test_toward_loopback_all_of_it_is_ours() -> None:
    pool = sources.toward("127.0.0.9")
    assert pool.size == 2**24 - 3
    assert "127.0.0.9" not in names(AddressPool(pool.blocks[:1]))[:10]
    assert sources.source_toward("127.0.0.9") == "127.0.0.1"
    assert sources.source_toward("::1") == "::1"


def test_without_a_route_there_is_no_source(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unreachable(socket.socket):
        def connect(self, _: object) -> None:
            raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket, "socket", Unreachable)
    with pytest.raises(UsageError, match="no route to 10.9.9.9: Network is unreachable"):
        sources.source_toward("10.9.9.9")


@pytest.mark.usefixtures("interfaces")
def test_neighbours_are_those_that_share_a_network_with_a_destination() -> None:
    pool = AddressPool((AddressBlock(10 << 24, 300, 4), AddressBlock(int(ipaddress.ip_address("10.5.0.0")), 10, 4)))
    assert sources.on_link(pool, ["10.0.0.77"]) == 256
    assert sources.on_link(pool, ["10.5.0.1"]) == 0
    assert sources.on_link(pool, ["127.0.0.1"]) == 0
    assert sources.on_link(pool, []) == 0
    six = AddressPool((AddressBlock(int(ipaddress.ip_address("fd00::1")), 7, 6),))
    assert sources.on_link(six, ["fd00::99"]) == 7


def test_both_ends_of_a_block_must_be_ours() -> None:
    sources.check_local(AddressPool((AddressBlock(127 << 24 | 1, 1000, 4),)))
    with pytest.raises(RefusedError, match=r"the source address 128\.0\.0\.0 is not this machine's"):
        sources.check_local(AddressPool((AddressBlock((128 << 24) - 10, 11, 4),)))
    with pytest.raises(RefusedError, match=r"126\.255\.255\.255"):
        sources.check_local(AddressPool((AddressBlock((127 << 24) - 1, 10, 4),)))


def test_an_ipv6_prefix_that_was_made_local_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "local_prefixes", lambda: [ipaddress.ip_network("fd99::/64")])
    assert sources.is_local("::1")
    assert sources.is_local("fd99::7")
    assert not sources.is_local("fd98::7")
