"""plan, doctor, explain and run about limits, by the real command line: embedded, on named nodes, and where limits are low."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from programs import node
from tree import ROOT

from c1m.coordinator.planning.limit_pages import NAMES
from c1m.limits.sysctls import path_of
from c1m.limits.table import LIMITS

root = pytest.mark.skipif(os.geteuid() != 0, reason="lowering limits of others takes root")
CGROUPS = Path("/sys/fs/cgroup")
CONNTRACK_MAX = Path(path_of("net.netfilter.nf_conntrack_max"))


def coord(*words: str, inside: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    command = [*inside, sys.executable, "-m", "c1m.coordinator", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)


def document(*words: str, code: int = 0, inside: Sequence[str] = ()) -> dict[str, Any]:
    ended = coord(*words, "--json", "-", inside=inside)
    assert ended.returncode == code, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def limit(found: dict[str, Any], name: str) -> dict[str, Any]:
    """The worst place of one."""
    places = [each for each in found["limits"] if each["limit"] == name]
    assert places, f"{name} is not among {[each['limit'] for each in found['limits']]}"
    return max(places, key=lambda each: ["ok", "unknown", "tight", "will stop you"].index(each["standing"]))


def namespace(*commands: str) -> list[str]:
    """What goes before a command to run it in a network namespace of its own, prepared by some others."""
    script = "; ".join(["ip link set lo up", *commands, 'exec "$@"'])
    return ["unshare", "-n", "sh", "-ec", script, "sh"]


def sysctl(name: str, value: str) -> str:
    return f"echo {value} > {path_of(name)}"


@contextmanager
def cgroup(controller: str, file: str, value: str) -> Iterator[list[str]]:
    """What goes before a command to run it in a cgroup of its own with a limit."""
    directory = CGROUPS / controller / f"c1m-test-{os.getpid()}"
    directory.mkdir()
    try:
        (directory / file).write_text(value)
        yield ["sh", "-ec", f'echo $$ > {directory}/cgroup.procs; exec "$@"', "sh"]
    finally:
        directory.rmdir()


def of_controller(controller: str) -> pytest.MarkDecorator:
    writable = os.access(CGROUPS / controller / "cgroup.procs", os.W_OK)
    return pytest.mark.skipif(not writable, reason=f"there is no {controller} cgroup (v1) to write")


# -- plan


def test_a_plan_opens_nothing_and_tells_all() -> None:
    found = document("plan", "--total", "20k")

    (worker,) = found["workers"]
    (host,) = found["hosts"]
    assert (found["fits"], found["refused"]) == (True, [])
    assert worker["planned"] == sum(shard["planned"] for shard in worker["shards"]) == 20_000
    assert sum(acceptor["planned"] for acceptor in found["acceptors"]) == 20_000
    assert host["kernel_bytes"] == 2 * 20_000 * 4250
    assert found["ceiling"] > 20_000
    assert [reach["total"] for reach in found["ranking"]] == sorted(reach["total"] for reach in found["ranking"])


def test_what_cannot_fit_is_planned_as_far_as_it_goes() -> None:
    ended = coord("plan", "--total", "900M")

    assert ended.returncode == 3
    assert "what stops it next" in ended.stdout
    assert "900,000,000 do not fit" in ended.stdout
    assert "1st at " in ended.stdout


def test_named_nodes_are_asked_and_stay_free() -> None:
    worker, target = "127.0.0.1:17311", "127.0.0.1:17312"
    nodes = ("--worker", worker, "--target", target)
    with node("target", "--listen", target, "--bind", "127.0.0.1"), node("worker", "--listen", worker):
        first = document("plan", *nodes, "--total", "3000")
        doctor = document("doctor", *nodes)
        run = document("run", *nodes, "--total", "3000", "--hold", "0s")

    assert first["workers"][0]["node"] == f"worker {worker}"
    assert doctor["standing"] == "ok"
    assert run["verdict"] == "passed"


def test_processes_with_few_descriptors_are_more_processes() -> None:
    found = document("plan", "--total", "1000", inside=["prlimit", "--nofile=300:300"])

    assert len(found["workers"][0]["shards"]) == len(found["acceptors"]) == 5


@root
def test_reserved_ports_are_not_planned() -> None:
    inside = namespace(sysctl("net.ipv4.ip_local_reserved_ports", "1024-60000"))
    found = document("plan", "--total", "1000", inside=inside)

    (worker,) = found["workers"]
    assert worker["client_ports"] <= 65_535 - 60_000
    assert worker["tuples_left"] == worker["tuples"] - 1000


@root
def test_the_range_of_the_kernel_does_not_bind_c1m() -> None:
    inside = namespace(sysctl("net.ipv4.ip_local_port_range", "20000 20009"))
    found = document("doctor", "--total", "100k", inside=inside)

    assert (limit(found, "ports")["value"], limit(found, "ports")["standing"]) == (10, "ok")
    assert limit(found, "tuples")["standing"] == "ok"


# -- doctor


def test_a_healthy_machine_has_nothing_to_be_told() -> None:
    ended = coord("doctor", "--total", "1000")

    assert ended.returncode == 0, ended.stdout
    assert "will stop you" not in ended.stdout
    assert "tight" not in ended.stdout


@root
def test_a_short_accept_queue_is_tight_in_the_namespace_where_it_is() -> None:
    found = document("doctor", "--total", "100k", inside=namespace(sysctl("net.core.somaxconn", "64")))

    queue = limit(found, "accept-queue")
    assert (queue["standing"], queue["value"]) == ("tight", 64)
    assert queue["need"] > 64
    assert queue["commands"] == [f"sysctl -w net.core.somaxconn={rounded(queue['need'])}"]
    assert found["standing"] == "tight"


def rounded(need: float) -> int:
    """The next figure with two digits."""
    digit = 10 ** (len(str(int(need) + 1)) - 2)
    return int(-(-(need + 1) // digit) * digit)


def test_an_observed_servers_own_queue_is_what_counts() -> None:
    control = "127.0.0.1:17313"
    with socket.create_server(("127.0.0.1", 0), backlog=7) as server:
        port = str(server.getsockname()[1])
        endpoint = ("--endpoint", f"127.0.0.1:{port}", "--target", control)
        with node("target", "observe", "--port", port, "--listen", control):
            found = document("doctor", "--total", "5000", *endpoint)

    queue = limit(found, "accept-queue")
    assert (queue["standing"], queue["value"], queue["nodes"]) == ("tight", 7, [f"target {control}"])


SERVER = """
import socket, sys
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    sys.stdin.read()
"""


@root
def test_an_observed_servers_own_descriptors_are_told_and_refuse_nothing() -> None:
    control = "127.0.0.1:17314"
    command = ["prlimit", "--nofile=120:4096", sys.executable, "-c", SERVER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        endpoint = ("--endpoint", f"127.0.0.1:{port}", "--target", control)
        with node("target", "observe", "--port", port, "--listen", control):
            found = document("doctor", "--total", "500", *endpoint)
        server.communicate()

    descriptors = limit(found, "server-descriptors")
    assert (descriptors["standing"], descriptors["value"], descriptors["need"]) == ("tight", 120, 500)


ON_LINK = """
from c1m.net.addresses import parse_sources
from c1m.worker.node.sources import on_link, resolve
pool = resolve(parse_sources("10.9.0.10-10.9.0.29,10.201.0.0/24"))
print(on_link(pool, ["10.9.1.1"]), on_link(pool, ["10.8.0.1"]), on_link(pool, ["127.0.0.1"]), on_link(pool, ["fd00::1"]))
"""


@root
def test_only_sources_of_the_destinations_network_are_its_neighbours() -> None:
    inside = namespace("ip link add v0 type veth peer name v1", "ip addr add 10.9.0.10/16 dev v0", "ip link set v0 up")
    told = subprocess.run([*inside, sys.executable, "-c", ON_LINK], capture_output=True, text=True, check=True, timeout=60)

    assert told.stdout.split() == ["20", "0", "0", "0"]


@root
def test_a_setting_of_the_host_is_unknown_in_a_namespace_with_the_reason() -> None:
    tcp_mem = limit(document("doctor", "--total", "1000", "--close", "fin", inside=namespace()), "tcp-mem")

    assert (tcp_mem["standing"], tcp_mem["value"]) == ("unknown", None)
    assert "belongs to the host" in tcp_mem["remark"]


def test_no_room_for_a_single_connection_stops_everything() -> None:
    """70 descriptors start a node; 64 of them stay with it."""
    found = document("doctor", code=3, inside=["prlimit", "--nofile=70:70"])

    descriptors = limit(found, "descriptors")
    assert (descriptors["standing"], descriptors["value"]) == ("will stop you", 70)
    assert any("LimitNOFILE=" in command for command in descriptors["commands"])
    assert found["ceiling"] == 0


@root
@of_controller("pids")
def test_a_limit_of_processes_stops_what_needs_more_of_them() -> None:
    with cgroup("pids", "pids.max", "90") as inside:
        found = document("doctor", "--total", "1M", code=3, inside=inside)
        fits = document("plan", "--total", "20k", inside=inside)

    assert limit(found, "pids")["value"] == 90
    assert limit(found, "pids")["standing"] == "will stop you"
    assert any("TasksMax=" in command for command in limit(found, "pids")["commands"])
    assert found["ranking"][0]["limit"] == "pids"
    assert fits["fits"]


@root
@of_controller("memory")
def test_a_cgroups_memory_refuses_a_run_with_the_cure() -> None:
    with cgroup("memory", "memory.limit_in_bytes", str(512 * 2**20)) as inside:
        summary = document("run", "--total", "200k", code=3, inside=inside)

    assert summary["verdict"] == "refused"
    assert "memory of a cgroup" in summary["reasons"][0]
    assert summary["reasons"][1].startswith("1st at ")
    assert "MemoryMax=" in summary["reasons"][1]
    assert summary["limits"]["ranking"][0]["limit"] == "cgroup-memory"
    assert summary["limits"]["ceiling"] < 200_000


@root
@pytest.mark.skipif(not (Path("/usr/sbin/nft").exists() and CONNTRACK_MAX.exists()), reason="there is no nft, or no conntrack")
def test_connections_are_tracked_only_where_a_rule_asks_for_it() -> None:
    # One statement a line: nft 1.0.6 reads it so.
    rules = "table inet t {\\nchain c {\\ntype filter hook input priority 0;\\nct state established accept\\n}\\n}\\n"
    total = int(CONNTRACK_MAX.read_text()) + 1
    tracking = document("doctor", "--total", str(total), code=3, inside=namespace(f"printf '{rules}' | nft -f -"))
    free = document("doctor", "--total", str(total), inside=namespace())

    found = limit(tracking, "conntrack")
    assert found["standing"] == "will stop you"
    assert found["need"] == total  # both ends are here, and a connection is one entry
    assert limit(free, "conntrack")["standing"] == "ok"
    assert "nothing is tracked" in limit(free, "conntrack")["remark"]


# -- run


def test_a_clean_run_names_no_limit() -> None:
    ended = coord("run", "--total", "3000", "--hold", "1s", "--json", "-")
    summary = json.loads(ended.stdout)

    assert "tight:" not in ended.stderr
    assert (summary["limits"]["before"], summary["limits"]["while_running"]) == ([], [])
    assert summary["limits"]["ceiling"] > 3000
    assert not any(named.title in reason for named in LIMITS for reason in summary["reasons"])


@root
def test_a_run_warns_of_what_is_tight_before_it_starts() -> None:
    inside = namespace(sysctl("net.core.somaxconn", "64"))
    ended = coord("run", "--total", "2000", "--hold", "0s", "--json", "-", inside=inside)

    (before,) = json.loads(ended.stdout)["limits"]["before"]
    assert (before["limit"], before["standing"]) == ("accept-queue", "tight")
    assert "tight: " in ended.stderr
    assert ended.stderr.index("tight: ") < ended.stderr.index("established")


@root
@of_controller("pids")
def test_a_limit_that_becomes_tight_while_running_is_told_once_and_stands_in_the_summary() -> None:
    """184 descriptors a process make 34 processes of 2,000 connections; the cgroup has room for 38 beside what is there, and
    what nodes take for themselves."""
    few = ["prlimit", "--nofile=184:184"]
    with cgroup("pids", "pids.max", "500") as inside:
        nodes = [each for each in document("doctor", inside=inside)["limits"] if each["limit"] == "pids"]
    (before,) = nodes
    with cgroup("pids", "pids.max", str(before["used"] + 38 + 16)) as inside:
        ended = coord("run", "--total", "2000", "--hold", "2s", "--json", "-", inside=[*inside, *few])
    summary = json.loads(ended.stdout)

    assert summary["verdict"] == "passed", summary["reasons"]
    assert [each["limit"] for each in summary["limits"]["before"]] == ["pids"]
    (taken,) = summary["limits"]["while_running"]
    assert (taken["limit"], taken["standing"], taken["value"]) == ("pids", "tight", before["used"] + 38 + 16)
    told = "processes and threads of a cgroup (pids.max) is nearly used up"
    assert ended.stderr.count(told) == 1
    assert (summary["reasons"], sum(told in note for note in summary["notes"])) == ([], 1)


# -- explain


def test_every_limit_has_a_page_and_every_page_a_limit() -> None:
    pages = {path.stem for path in (ROOT / "coordinator" / "planning" / "pages").glob("*.md")}

    assert pages == set(NAMES)


@pytest.mark.parametrize("name", ["theory", "ports", "descriptors"])
def test_a_page_is_prose_and_what_the_table_says(name: str) -> None:
    ended = coord("explain", name)

    assert ended.returncode == 0
    assert len(ended.stdout.split()) > 60
    assert ("cure:" in ended.stdout) == (name != "theory")


def test_without_a_name_every_page_is_named() -> None:
    told = coord("explain").stdout

    assert all(f" {name}:" in told for name in NAMES)


def test_a_page_that_there_is_not() -> None:
    ended = coord("explain", "port")

    assert ended.returncode == 2
    assert "did you mean ports?" in ended.stderr
