"""Every cause that c1m names, forced for real: on hosts of their own, with a real kernel, and named with the right machine."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from lab import Lab, address, lab
from programs import children_of, coordinator, first_line, node

pytestmark = [
    pytest.mark.netns,
    pytest.mark.slow,
    pytest.mark.skipif(
        os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("nft"), reason="needs root, iproute2 and nftables"
    ),
]

WORKER, TARGET = "worker", "target"
# Where a machine is full of other work nodes wait for a CPU, which is a cause of its own: these run before the others.
FIRST = ("nice", "-n", "-10")
PORT = 9000


@pytest.fixture(scope="module")
def hosts() -> Iterator[Lab]:
    with lab() as made:
        yield made


@dataclass
class Fleet:
    """A worker and a target on hosts of their own."""

    hosts: Lab
    worker: subprocess.Popen[str]
    target: subprocess.Popen[str]
    control_port: int  # of the worker; the target's is 100 higher

    @property
    def words(self) -> tuple[str, ...]:
        return ("--worker", f"{address('worker1')}:{self.control_port}")

    @property
    def to_target(self) -> tuple[str, ...]:
        return ("--target", f"{address('target')}:{self.control_port + 100}")

    def shards(self) -> list[int]:
        return [pid for pid, name in children_of(self.worker.pid).items() if name.startswith("c1m-shard")]

    def acceptors(self) -> list[int]:
        return [pid for pid, name in children_of(self.target.pid).items() if name.startswith("c1m-acceptor")]


@contextmanager
def a_fleet(
    hosts: Lab,
    *,
    worker: Sequence[str] = (),
    target: Sequence[str] = ("--bind", address("target")),
    in_target: Sequence[str] = (),
    in_worker: Sequence[str] = (),
    control_port: int = 7101,
) -> Iterator[Fleet]:
    allow = ("--allow", "10.0.0.0/8")  # servers that are no target of c1m's, and targets that cannot be reached
    listen_worker = ("--listen", f"{address('worker1')}:{control_port}", "--insecure", *allow)
    listen_target = ("--listen", f"{address('target')}:{control_port + 100}", "--insecure")
    with (
        node("worker", *worker, *listen_worker, inside=[*(in_worker or hosts.inside("worker1")), *FIRST]) as client,
        node("target", *target, *listen_target, inside=[*(in_target or hosts.inside("target")), *FIRST]) as server,
    ):
        yield Fleet(hosts, client, server, control_port)


@pytest.fixture(scope="module")
def fleet(hosts: Lab) -> Iterator[Fleet]:
    """For the tests that need no node of their own."""
    with a_fleet(hosts, worker=("--source", address("worker1")), control_port=7100) as made:
        yield made


@dataclass
class Told:
    summary: dict[str, Any]
    lines: list[str]  # what was said meanwhile

    def causes(self) -> list[tuple[str, str]]:
        """Each with the role of the node that it names; there is one of each."""
        return [(each["cause"], each["node"].split()[0]) for each in self.summary["diagnosis"]]


def conduct(
    fleet: Fleet,
    tmp_path: Path,
    *words: str,
    opening: Callable[[], object] = lambda: None,
    named: str = "",
    then: Callable[[], object] = lambda: None,
) -> Told:
    """A run. ``opening`` happens when it says that it opens; as soon as it says what is ``named``, ``then`` does, and ^C."""
    told = tmp_path / "summary.json"
    lines: list[str] = []
    opened = False
    with ExitStack() as after, ExitStack() as undone:
        undone.callback(then)
        coord = after.enter_context(coordinator(*fleet.words, *words, "--json", str(told), inside=fleet.hosts.inside("coord")))
        assert coord.stderr is not None
        for line in coord.stderr:
            lines.append(line.rstrip())
            if not opened and line.startswith("opening"):
                opened = True
                opening()
            if named and named in line:
                named = ""
                undone.close()
                coord.send_signal(signal.SIGINT)
        coord.wait(60)
    return Told(json.loads(told.read_text()), lines)


class Stopped:
    """Processes that are stopped for a while; who they are is asked when it comes to that."""

    def __init__(self, who: Callable[[], list[int]]) -> None:
        self.who = who
        self.pids: list[int] = []

    def stop(self) -> None:
        self.pids = self.who()
        assert self.pids
        self.send(signal.SIGSTOP)

    def go_on(self) -> None:
        self.send(signal.SIGCONT)

    def send(self, number: signal.Signals) -> None:
        for pid in self.pids:
            os.kill(pid, number)


def inside(hosts: Lab, host: str, *command: str) -> None:
    subprocess.run(hosts.inside(host, *command), check=True, timeout=60, capture_output=True)


@contextmanager
def filtered(hosts: Lab, host: str, rules: str) -> Iterator[None]:
    """nft rules on a host, one statement a line."""
    subprocess.run(hosts.inside(host, "nft", "-f", "-"), input=rules, text=True, check=True, timeout=60)
    try:
        yield
    finally:
        inside(hosts, host, "nft", "flush", "ruleset")


def incoming(verdict: str, port: int = PORT) -> str:
    return f"table inet f {{\nchain c {{\ntype filter hook input priority 0;\ntcp dport {port} {verdict}\n}}\n}}\n"


@contextmanager
def sysctl(hosts: Lab, host: str, **values: str) -> Iterator[None]:
    """Settings of a host's network namespace, with _ for the slashes of their paths under net/."""
    paths = {name: f"/proc/sys/net/{name.replace('__', '/')}" for name in values}
    before = {name: subprocess.check_output(hosts.inside(host, "cat", path), text=True) for name, path in paths.items()}

    def write(name: str, value: str) -> None:
        inside(hosts, host, "sh", "-c", f"printf '%s' '{value.strip()}' > {paths[name]}")

    try:
        for name, value in values.items():
            write(name, value)
        yield
    finally:
        for name, value in before.items():
            write(name, value)


@contextmanager
def program(hosts: Lab, host: str, text: str, *words: str) -> Iterator[None]:
    """A Python program on a host, once it has written a line."""
    with subprocess.Popen(hosts.inside(host, sys.executable, "-c", text, *words), stdout=subprocess.PIPE, text=True) as process:
        try:
            assert first_line(process)
            yield
        finally:
            process.kill()


# -- on the way


def test_syns_that_a_firewall_drops(fleet: Fleet, tmp_path: Path) -> None:
    with filtered(fleet.hosts, "target", incoming("tcp flags syn drop")):
        patient = ("--total", "400", "--connect-timeout", "60s")
        told = conduct(fleet, tmp_path, *fleet.to_target, *patient, named="SYNs get no answer")

    assert told.causes() == [("SYN unanswered", WORKER)]
    assert "dropped on the way" in told.summary["diagnosis"][0]["sentence"]
    assert told.summary["failed"] == {"ECANCELED": 200}, "none had given up when it was told"
    assert any(line.startswith("stalled: 200 of 400 established") for line in told.lines), told.lines


def test_a_firewall_that_rejects_in_the_targets_place(fleet: Fleet, tmp_path: Path) -> None:
    with filtered(fleet.hosts, "target", incoming("reject with tcp reset")):
        told = conduct(fleet, tmp_path, *fleet.to_target, "--total", "300", "--hold", "0s")

    assert told.causes() == [("refused", WORKER)]
    assert "a firewall answers in the target's place" in told.summary["diagnosis"][0]["sentence"]


def test_a_firewall_that_says_prohibited(fleet: Fleet, tmp_path: Path) -> None:
    with filtered(fleet.hosts, "target", incoming("reject with icmpx type admin-prohibited")):
        told = conduct(fleet, tmp_path, *fleet.to_target, "--total", "300", named="cannot be reached")

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


# -- the clients' own machine


def test_a_source_address_that_is_not_local(hosts: Lab, tmp_path: Path) -> None:
    hosts.on("worker1", "addr", "add", "10.200.0.5/32", "dev", "eth0")  # .4, in between, is another host's
    with a_fleet(hosts, worker=("--source", "10.200.0.3-10.200.0.5", "--ports", "20000-20099")) as fleet:
        told = conduct(fleet, tmp_path, *fleet.to_target, "--total", "550", "--hold", "0s")
    hosts.on("worker1", "addr", "del", "10.200.0.5/32", "dev", "eth0")

    assert told.causes() == [("source address not local", WORKER)]


LISTENS = """
import socket, sys
held = [socket.create_server((sys.argv[1], port)) for port in range(int(sys.argv[2]), int(sys.argv[3]))]
print("ready", flush=True)
sys.stdin.read() or __import__("time").sleep(600)
"""
CONNECTS = """
import socket, sys
server = socket.create_server((sys.argv[1], 30000), backlog=1000)
held = [socket.create_connection((sys.argv[1], 30000)) for _ in range(int(sys.argv[2]))]
print("ready", flush=True)
__import__("time").sleep(600)
"""


@pytest.fixture(scope="module")
def narrow(hosts: Lab) -> Iterator[Fleet]:
    """A hundred client ports."""
    with a_fleet(hosts, worker=("--ports", "20000-20099"), control_port=7102) as made:
        yield made


def test_a_plan_whose_ports_have_holes(narrow: Fleet, tmp_path: Path) -> None:
    with program(narrow.hosts, "worker1", LISTENS, address("worker1"), "20010", "20060"):
        told = conduct(narrow, tmp_path, *narrow.to_target, "--total", "180", "--hold", "0s")

    assert told.causes() == [("client ports taken", WORKER)]
    assert told.summary["failed"]["EADDRINUSE"] == 80


def test_a_range_of_which_the_kernel_has_given_ports_away(narrow: Fleet, tmp_path: Path) -> None:
    with (
        sysctl(narrow.hosts, "worker1", ipv4__ip_local_port_range="20000 20099"),
        program(narrow.hosts, "worker1", CONNECTS, address("worker1"), "90"),
    ):
        told = conduct(narrow, tmp_path, *narrow.to_target, "--total", "100", "--hold", "0s")

    assert told.causes() == [("client ports taken", WORKER)]
    assert told.summary["failed"]["EADDRINUSE"] == 80  # ten ports left, to each of two destinations


def test_a_worker_without_descriptors(fleet: Fleet, tmp_path: Path) -> None:
    words = (*fleet.to_target, "--total", "4000", "--ramp", "4s", "--hold", "0s")
    told = conduct(fleet, tmp_path, *words, opening=lambda: lower_descriptors(fleet.shards()))

    assert told.causes() == [("process descriptors", WORKER)]
    assert f"{FEW} of {FEW}" in told.summary["diagnosis"][0]["sentence"]


PACED = ("--total", "8000", "--ramp", "8s")  # long enough for a test that is late to do something to a run that opens
FEW = 600  # descriptors, which a process of a paced run has in use a second after it began, or later


def lower_descriptors(pids: list[int]) -> None:
    assert pids
    for pid in pids:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (FEW, 20_000))


def test_shards_that_are_stopped(fleet: Fleet, tmp_path: Path) -> None:
    shards, words = Stopped(fleet.shards), (*fleet.to_target, *PACED)
    told = conduct(fleet, tmp_path, *words, opening=shards.stop, named="state T", then=shards.go_on)

    assert told.causes() == [("process stopped", WORKER)]


BUSY = """
import os
os.sched_setaffinity(0, {0})
print("ready", flush=True)
while True: pass
"""


@pytest.mark.alone
def test_shards_that_get_no_cpu(fleet: Fleet, tmp_path: Path) -> None:
    shards: list[int] = []

    def starve() -> None:
        shards.extend(fleet.shards())
        for pid in shards:
            os.sched_setaffinity(pid, {0})
            os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))

    def feed() -> None:
        for pid in shards:
            os.sched_setscheduler(pid, os.SCHED_OTHER, os.sched_param(0))

    with program(fleet.hosts, "worker1", BUSY):
        told = conduct(
            fleet,
            tmp_path,
            *fleet.to_target,
            "--total",
            "20000",
            "--rate",
            "4000",
            opening=starve,
            named="ready to work and get no CPU",
            then=feed,
        )

    assert told.causes() == [("CPU", WORKER)]


# -- the server's machine


def test_an_accept_queue_that_is_too_short(fleet: Fleet, tmp_path: Path) -> None:
    with sysctl(fleet.hosts, "target", core__somaxconn="1"):
        told = conduct(fleet, tmp_path, *fleet.to_target, "--total", "1000", "--connect-timeout", "2s", "--hold", "0s")

    assert ("accept queue", TARGET) in told.causes()
    assert ("SYN unanswered", WORKER) not in told.causes()
    assert any("net.core.somaxconn (1)" in reason for reason in [*told.summary["reasons"], *told.summary["notes"]])


def test_a_queue_of_handshakes_that_is_full(fleet: Fleet, tmp_path: Path) -> None:
    """On a slow link the ACKs stand in line behind hundreds of SYNs, and no cookies take the place of the queue."""
    slow = ["root", "tbf", "rate", "4mbit", "burst", "1600", "latency", "20s"]
    inside(fleet.hosts, "worker1", "tc", "qdisc", "add", "dev", "eth0", *slow)
    try:
        with sysctl(fleet.hosts, "target", core__somaxconn="16", ipv4__tcp_syncookies="0"):
            told = conduct(fleet, tmp_path, *fleet.to_target, "--total", "600", "--connect-timeout", "1500ms", "--hold", "0s")
    finally:
        inside(fleet.hosts, "worker1", "tc", "qdisc", "del", "dev", "eth0", "root")

    assert ("SYN queue", TARGET) in told.causes()
    assert ("SYN unanswered", WORKER) not in told.causes()


def test_acceptors_that_are_stopped(fleet: Fleet, tmp_path: Path) -> None:
    acceptors, words = Stopped(fleet.acceptors), (*fleet.to_target, *PACED)
    with sysctl(fleet.hosts, "target", core__somaxconn="64"):
        told = conduct(fleet, tmp_path, *words, opening=acceptors.stop, named="state T", then=acceptors.go_on)

    assert told.causes() == [("process stopped", TARGET)]


def test_a_target_that_is_stopped_as_a_whole(hosts: Lab, tmp_path: Path) -> None:
    with sysctl(hosts, "target", core__somaxconn="64"), a_fleet(hosts) as fleet:
        whole, words = Stopped(lambda: [*fleet.acceptors(), fleet.target.pid]), (*fleet.to_target, *PACED)
        told = conduct(fleet, tmp_path, *words, opening=whole.stop, named="it said nothing for a while", then=whole.go_on)

    assert told.causes() == [("node silent", TARGET)]


def test_a_target_without_descriptors(fleet: Fleet, tmp_path: Path) -> None:
    with sysctl(fleet.hosts, "target", core__somaxconn="64"):
        lower, words = lambda: lower_descriptors(fleet.acceptors()), (*fleet.to_target, *PACED)
        told = conduct(fleet, tmp_path, *words, opening=lower, named="no descriptor left")

    assert told.causes() == [("process descriptors", TARGET)]
    assert f"{FEW} of {FEW}" in told.summary["diagnosis"][0]["sentence"]


PROXY = """
import select, socket
upstream = socket.create_server(("127.0.0.1", 8081), backlog=1000)
server = socket.create_server(("0.0.0.0", 8080), backlog=1000)
print("ready", flush=True)
poll, other = select.poll(), {}
poll.register(server, select.POLLIN)
while True:
    for descriptor, _ in poll.poll():
        if descriptor != server.fileno():  # the client is gone
            poll.unregister(descriptor)
            for end in other.pop(descriptor):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\\1\\0\\0\\0\\0\\0\\0\\0")
                end.close()
            continue
        client, _ = server.accept()
        try:
            inner = socket.create_connection(("127.0.0.1", 8081))
        except OSError:
            client.close()
            continue
        poll.register(client, select.POLLRDHUP)
        other[client.fileno()] = client, inner, upstream.accept()[0]
"""


@pytest.fixture(scope="module")
def observed(hosts: Lab) -> Iterator[Fleet]:
    """A proxy, and c1m-target observe beside it."""
    with (
        program(hosts, "target", PROXY),
        a_fleet(hosts, target=("observe", "--port", "8080"), control_port=7103) as made,
    ):
        yield made


@pytest.mark.parametrize(("ports", "reserved"), [("20000 20039", ""), ("20000 20999", "20040-20999")])
def test_a_proxy_whose_kernel_has_no_port_left_to_choose(observed: Fleet, ports: str, reserved: str, tmp_path: Path) -> None:
    endpoint = ("--endpoint", f"{address('target')}:8080")
    chosen = {"ipv4__ip_local_port_range": ports, "ipv4__ip_local_reserved_ports": reserved}
    with sysctl(observed.hosts, "target", **chosen):
        told = conduct(observed, tmp_path, *observed.to_target, *endpoint, "--total", "100", "--hold", "1s")

    assert told.causes() == [("kernel-chosen ports", TARGET)]
    assert "40 of 40 in use" in told.summary["diagnosis"][0]["sentence"]
    assert f"({reserved or 'none'})" in told.summary["diagnosis"][0]["sentence"]


TRACKED = """
import socket, struct, sys
message = bytearray.fromhex(sys.argv[1])
most, batch = int(sys.argv[2]), []
with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as kernel:
    kernel.bind((0, 0))
    for number in range(most + 1):
        address, port = struct.pack("!I", 0x0A630000 + number // 50000), struct.pack("!H", 10000 + number % 50000)
        for at in map(int, sys.argv[3].split(",")):
            message[at : at + 4] = address
        for at in map(int, sys.argv[4].split(",")):
            message[at : at + 2] = port
        batch.append(bytes(message))
        if len(batch) == 200 or number == most:
            kernel.send(b"".join(batch))
            batch.clear()
print("ready", flush=True)
import time; time.sleep(600)
"""
FORGET = """
import socket, struct
with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as kernel:  # IPCTNL_MSG_CT_DELETE of all there are
    kernel.send(struct.pack("=IHHII", 20, 1 << 8 | 2, 5, 0, 0) + bytes(4))
    kernel.recv(4096)
"""
CONNTRACK_MAX = Path("/proc/sys/net/netfilter/nf_conntrack_max")


def tracked_connection() -> tuple[str, str, str]:
    """What tells the kernel to track a UDP stream for two minutes, in hex, and where its client's address and port stand."""

    def attribute(kind: int, payload: bytes) -> bytes:
        return struct.pack("=HH", 4 + len(payload), kind) + payload + bytes(-len(payload) % 4)

    def tuple_of(kind: int, source: bytes, target: bytes, ports: tuple[int, int]) -> bytes:
        addresses = attribute(1, source) + attribute(2, target)  # CTA_IP_V4_SRC, CTA_IP_V4_DST
        protocol = attribute(1, b"\x11") + attribute(2, struct.pack("!H", ports[0])) + attribute(3, struct.pack("!H", ports[1]))
        return attribute(0x8000 | kind, attribute(0x8001, addresses) + attribute(0x8002, protocol))

    client, server = b"CLNT", b"\x0a\xc8\x00\x02"
    confirmed = struct.pack("!I", 1 << 1 | 1 << 2 | 1 << 3)  # SEEN_REPLY, ASSURED, CONFIRMED: not to be dropped early
    body = tuple_of(1, client, server, (0x5050, 9)) + tuple_of(2, server, client, (9, 0x5050))
    body += attribute(3, confirmed) + attribute(7, struct.pack("!I", 120))
    head = struct.pack("=IHHII", 20 + len(body), 1 << 8, 0x601, 0, 0) + b"\x02\0\0\0"  # IPCTNL_MSG_CT_NEW, create
    text = head + body
    places = [[str(match.start()) for match in re.finditer(what, text)] for what in (b"CLNT", b"PP")]
    return text.hex(), ",".join(places[0]), ",".join(places[1])


TRACKS = """
table inet f {
chain raw_in {
type filter hook prerouting priority -300;
tcp dport 7200 notrack
}
chain raw_out {
type filter hook output priority -300;
tcp sport 7200 notrack
}
chain in {
type filter hook input priority 0;
ct state new accept
}
}
"""


@pytest.mark.skipif(
    not CONNTRACK_MAX.exists() or int(CONNTRACK_MAX.read_text()) > 300_000, reason="there is no table to fill in a moment"
)
def test_a_table_of_tracked_connections_that_is_full(fleet: Fleet, tmp_path: Path) -> None:
    """Only once the run has begun: one that finds it full before is refused."""
    text, addresses, ports = tracked_connection()
    fill = (TRACKED, text, CONNTRACK_MAX.read_text().strip(), addresses, ports)
    with filtered(fleet.hosts, "target", TRACKS), ExitStack() as meanwhile:
        meanwhile.callback(inside, fleet.hosts, "target", sys.executable, "-c", FORGET)
        told = conduct(
            fleet,
            tmp_path,
            *(*fleet.to_target, "--total", "4000", "--ramp", "8s"),
            opening=lambda: meanwhile.enter_context(program(fleet.hosts, "target", *fill)),
            named="tracked connections is full",
        )

    assert told.causes() == [("conntrack table", TARGET)]


@contextmanager
def cgroup(controller: str) -> Iterator[Path]:
    made = Path(f"/sys/fs/cgroup/{controller}/c1m-forced-{os.getpid()}")
    if not os.access(made.parent / "cgroup.procs", os.W_OK):
        pytest.skip(f"there is no {controller} cgroup (v1) to write")
    made.mkdir()
    try:
        yield made
    finally:
        made.rmdir()


def test_acceptors_that_are_killed_for_the_memory_of_their_cgroup(hosts: Lab, tmp_path: Path) -> None:
    with cgroup("memory") as group:
        join = hosts.entered("target", "sh", "-ec", f'echo $$ > {group}/cgroup.procs; exec "$@"', "sh")
        with a_fleet(hosts, in_target=join) as fleet:

            def tighten() -> None:
                for pid in {fleet.target.pid, *children_of(fleet.target.pid)} - {*fleet.acceptors()}:
                    (group.parent / "cgroup.procs").write_text(str(pid))  # they are to live, and tell
                used = int((group / "memory.usage_in_bytes").read_text())
                (group / "memory.limit_in_bytes").write_text(str(used + 2**19))

            told = conduct(
                fleet, tmp_path, *fleet.to_target, "--total", "8000", "--ramp", "2s", "--hold", "0s", opening=tighten
            )

    assert told.causes() == [("killed for memory", TARGET)]


def test_a_zygote_that_may_not_fork(hosts: Lab, tmp_path: Path) -> None:
    with cgroup("pids") as group, a_fleet(hosts, in_worker=hosts.entered("worker1")) as fleet:
        (group / "pids.max").write_text("1")
        for pid in children_of(fleet.worker.pid):
            (group / "cgroup.procs").write_text(str(pid))
        told = conduct(fleet, tmp_path, *fleet.to_target, "--total", "200", "--hold", "0s")

    assert told.summary["verdict"] == "refused"
    (reason,) = told.summary["reasons"]
    assert reason.startswith(f"worker {address('worker1')}:7101: could start 0 of 2 processes: fork says EAGAIN")
    assert "has 1 of at most 1 processes and threads (pids.max)" in reason


FULL_UP = """
import socket
server = socket.create_server(("0.0.0.0", 8090), backlog=1000)
print("ready", flush=True)
held = []
while True:
    client, _ = server.accept()
    held.append(client)
    if len(held) > 50:
        held.pop().sendall(b"-ERR max number of clients reached")
        client.close()
"""


def test_a_server_that_hangs_up(fleet: Fleet, tmp_path: Path) -> None:
    with program(fleet.hosts, "target", FULL_UP):
        told = conduct(fleet, tmp_path, "--endpoint", f"{address('target')}:8090", "--total", "100", "--hold", "1s")

    assert told.causes() == [("server closes", WORKER)]
    assert "max number of clients reached" in told.summary["diagnosis"][0]["sentence"]


# -- and nothing at all


@pytest.mark.alone
@pytest.mark.parametrize(
    "words", [("--total", "20000"), ("--total", "24", "--rate", "8"), ("--total", "4000", "--ramp", "2s")], ids=" ".join
)
def test_a_clean_run_names_nothing(fleet: Fleet, words: tuple[str, ...], tmp_path: Path) -> None:
    told = conduct(fleet, tmp_path, *fleet.to_target, *words, "--hold", "1s")

    assert told.summary["verdict"] == "passed"
    assert told.causes() == []
    assert told.summary["reasons"] == []
    assert not [line for line in told.lines if line.startswith(("stalled", WORKER, TARGET))]
