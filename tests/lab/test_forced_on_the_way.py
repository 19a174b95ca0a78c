"""Causes on the way from client to server, forced for real, and named with the machine that tells of them."""

from __future__ import annotations

from pathlib import Path

from forced import FORCED, TARGET, WORKER, Fleet, a_fleet, conduct, filtered, sysctl
from lab import Lab, address

pytestmark = FORCED
PORT = 9000  # the target's first


def incoming(verdict: str) -> str:
    return f"table inet f {{\nchain c {{\ntype filter hook input priority 0;\ntcp dport {PORT} {verdict}\n}}\n}}\n"


def test_syns_that_a_firewall_drops(fleet: Fleet, tmp_path: Path) -> None:
    with filtered(fleet.hosts, "target", incoming("tcp flags syn drop")):
        patient = ("--total", "400", "--connect-timeout", "60s")
        told = conduct(fleet, tmp_path, *fleet.to_target, *patient, named="SYNs get no answer")

    assert told.causes() == [("SYN unanswered", WORKER)]
    assert "on the path" in told.summary["diagnosis"][0]["sentence"]
    assert told.summary["failed"] == {"ECANCELED": 200}, "none had given up when it was told"
    assert any(line.startswith("stalled: 200 of 400 established") for line in told.lines), told.lines


def test_a_firewall_that_rejects_in_the_targets_place(fleet: Fleet, tmp_path: Path) -> None:
    with filtered(fleet.hosts, "target", incoming("reject with tcp reset")):
        told = conduct(fleet, tmp_path, *fleet.to_target, "--total", "300", "--hold", "0s")

    assert told.causes() == [("refused", WORKER)]
    assert "a firewall answers in the target's place" in told.summary["diagnosis"][0]["sentence"]


def test_a_firewall_that_says_prohibited(fleet: Fleet, tmp_path: Path) -> None:
    with filtered(fleet.hosts, "target", incoming("reject with icmpx type admin-prohibited")):
        told = conduct(fleet, tmp_path, *fleet.to_target, "--total", "300", named="it cannot reach the target")

    assert told.causes() == [("unreachable", WORKER)]


def test_nobody_listens(fleet: Fleet, tmp_path: Path) -> None:
    told = conduct(fleet, tmp_path, "--endpoint", f"{address('target')}:9", "--total", "300", "--hold", "0s")

    assert told.causes() == [("refused", WORKER)]
    assert told.summary["failed"] == {"ECONNREFUSED": 300}
    assert told.summary["diagnosis"][0]["sentence"] in told.summary["reasons"]


def test_no_route(fleet: Fleet, tmp_path: Path) -> None:
    told = conduct(fleet, tmp_path, "--endpoint", "10.99.0.1:9000", "--total", "300", "--hold", "0s")

    assert told.causes() == [("no route", WORKER)]


def test_a_route_that_forbids(fleet: Fleet, tmp_path: Path) -> None:
    fleet.hosts.on("worker1", "route", "add", "prohibit", "10.99.0.1/32")
    try:
        told = conduct(fleet, tmp_path, "--endpoint", "10.99.0.1:9000", "--total", "300", "--hold", "0s")
    finally:
        fleet.hosts.on("worker1", "route", "del", "prohibit", "10.99.0.1/32")

    assert told.causes() == [("forbidden there", WORKER)]
    assert told.summary["failed"] == {"EACCES": 300}


def test_a_reverse_path_filter(hosts: Lab, tmp_path: Path) -> None:
    hosts.on("target", "route", "del", "10.201.0.0/24")
    try:
        with (
            sysctl(hosts, "target", ipv4__conf__all__rp_filter="1"),
            a_fleet(hosts, worker=("--source", "10.201.0.1-10.201.0.9")) as fleet,
        ):
            told = conduct(fleet, tmp_path, *fleet.to_target, "--total", "300", named="their sender is not expected")
    finally:
        hosts.on("target", "route", "add", "10.201.0.0/24", "via", address("worker1"))

    assert told.causes() == [("reverse path filter", TARGET)]


def test_a_route_that_discards(fleet: Fleet, tmp_path: Path) -> None:
    fleet.hosts.on("worker1", "route", "add", "blackhole", "10.99.0.1/32")
    try:
        told = conduct(fleet, tmp_path, "--endpoint", "10.99.0.1:9000", "--total", "300", "--hold", "0s")
    finally:
        fleet.hosts.on("worker1", "route", "del", "blackhole", "10.99.0.1/32")

    assert told.causes() == [("discarded there", WORKER)]
    assert told.summary["failed"] == {"EINVAL": 300}


def test_sources_that_a_nat_translates(hosts: Lab, tmp_path: Path) -> None:
    """The worker's own address is not among its sources, so what is translated to it is from elsewhere."""
    nat = "table ip n {\nchain c {\ntype nat hook postrouting priority 100;\nip saddr 10.201.0.0/24 masquerade\n}\n}\n"
    bound = ("--bind", address("target"), "--only-run-sources")
    with filtered(hosts, "worker1", nat), a_fleet(hosts, worker=("--source", "10.201.0.1-10.201.0.9"), target=bound) as fleet:
        told = conduct(fleet, tmp_path, *fleet.to_target, "--total", "300", "--hold", "1s")

    assert told.causes() == [("sources translated", TARGET)]
    assert "a NAT between them translates the sources" in told.summary["diagnosis"][0]["sentence"]
