"""c1m-coord tune: what it says, what nodes write for it in network namespaces of their own, and what they restore."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lab import ip
from programs import node

from c1m.limits.tuning import DECISIONS, PORT_RANGE, TUNABLE, raised
from c1m.state import state_directory
from c1m.sysctls import SYSCTLS, path_of

root = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces take root")
SOMAXCONN, SYN_BACKLOG, CONNTRACK = "net.core.somaxconn", "net.ipv4.tcp_max_syn_backlog", "net.netfilter.nf_conntrack_max"
WORKER, TARGET = "127.0.0.1:7100", "127.0.0.1:7200"
NODES = ("--worker", WORKER, "--target", TARGET)


# -- pure


def test_nodes_write_what_the_table_names_and_nothing_else() -> None:
    assert {SOMAXCONN, SYN_BACKLOG, PORT_RANGE, CONNTRACK, "fs.file-max", "fs.nr_open"} <= TUNABLE <= set(SYSCTLS)
    assert not TUNABLE & {"kernel.core_pattern", "net.ipv4.tcp_ehash_entries", *DECISIONS}


FIGURES = st.integers(0, 2**63 - 1)


@given(FIGURES, FIGURES)
def test_nothing_is_lowered(now: int, wanted: int) -> None:
    assert raised(SOMAXCONN, str(now), str(wanted)) == str(max(now, wanted))


@given(*[st.lists(FIGURES, min_size=3, max_size=3)] * 2)
def test_of_three_figures_none_is_lowered(now: list[int], wanted: list[int]) -> None:
    made = raised("net.ipv4.tcp_mem", " ".join(map(str, now)), " ".join(map(str, wanted)))

    assert [int(word) for word in made.split()] == [max(pair) for pair in zip(now, wanted)]


def test_a_range_of_ports_grows_on_both_sides() -> None:
    assert raised(PORT_RANGE, "32768 60999", "1024 50000") == "1024 60999"


@pytest.mark.parametrize("wanted", ["", "many", "-1", "1 2", "1;2", "64\n65", "64 ", "9" * 20, "٣"])
def test_what_is_no_figure_is_not_written(wanted: str) -> None:
    with pytest.raises(ValueError, match=r"figure|whole number"):
        raised(SOMAXCONN, "64", wanted)


@pytest.mark.parametrize("told", ["", "state"])
def test_records_are_where_it_does_not_matter_where_a_node_was_started(told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", told)

    assert state_directory().is_absolute()
    monkeypatch.setenv("XDG_STATE_HOME", "/var/state")
    assert state_directory() == Path("/var/state/c1m")


# -- a host with low limits


class Host:
    """A network namespace, and a state directory of its own."""

    def __init__(self, name: str, state: Path) -> None:
        self.inside = ["ip", "netns", "exec", name, "env", f"XDG_STATE_HOME={state}"]
        self.state = state

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*self.inside, *command], capture_output=True, text=True, check=False, timeout=100)

    def python(self, program: str, *words: str) -> str:
        ended = self.run(sys.executable, "-c", program, *words)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def coord(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "c1m.coordinator", *words)

    def tune(self, *words: str, code: int = 0) -> dict[str, Any]:
        ended = self.coord("tune", *NODES, "--total", "100k", "--json", "-", *words)
        assert ended.returncode == code, ended.stdout + ended.stderr
        found: dict[str, Any] = json.loads(ended.stdout)
        return found

    def changes(self, *words: str, code: int = 0) -> dict[str, tuple[str, str]]:
        """Setting -> before, after."""
        return {each["setting"]: (each["before"], each["after"]) for each in self.tune(*words, code=code)["changes"]}

    def set(self, name: str, value: str) -> None:
        self.run("sh", "-ec", f"echo {value} > {path_of(name)}").check_returncode()

    def get(self, name: str) -> str:
        return " ".join(self.run("cat", path_of(name)).stdout.split())

    @property
    def records(self) -> list[Path]:
        return list(self.state.rglob("*.json"))

    def target(self, *words: str) -> Any:
        return node("target", "--listen", TARGET, "--bind", "127.0.0.1", *words, inside=self.inside)

    @contextmanager
    def nodes(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        """Yields the target, which is who is asked about queues."""
        with self.target(*words) as target, node("worker", "--listen", WORKER, *words, inside=self.inside):
            yield target

    def call(self, method: str, request: dict[str, Any]) -> dict[str, Any]:
        """The target's answer to an RPC, or its status and sentence."""
        answer: dict[str, Any] = json.loads(self.python(CALL, method, json.dumps(request)))
        return answer


CALL = f"""
import json, sys
import grpc
from google.protobuf.json_format import MessageToDict
from c1m.v1 import target_pb2 as pb
from c1m.v1.target_pb2_grpc import TargetServiceStub
method, request = sys.argv[1], json.loads(sys.argv[2])
with grpc.insecure_channel("{TARGET}") as channel:
    stub = TargetServiceStub(channel)
    try:
        answer = getattr(stub, method)(getattr(pb, f"TargetService{{method}}Request")(**request), timeout=60)
    except grpc.RpcError as error:
        print(json.dumps({{"status": error.code().name, "sentence": error.details()}}))
    else:
        print(json.dumps(MessageToDict(answer)))
"""


@contextmanager
def namespace(state: Path, number: int = 0) -> Iterator[Host]:
    name = f"c1m{os.getpid()}-tune{number}"
    ip("netns", "add", name)
    try:
        ip("-n", name, "link", "set", "lo", "up")
        yield Host(name, state)
    finally:
        ip("netns", "del", name)


@pytest.fixture
def low(tmp_path: Path) -> Iterator[Host]:
    """Short queues on both ways in: SYN cookies would make the second one matter to nobody."""
    with namespace(tmp_path / "state") as host:
        host.set(SOMAXCONN, "64")
        host.set(SYN_BACKLOG, "128")
        host.set("net.ipv4.tcp_syncookies", "0")
        host.set(PORT_RANGE, "20000 20009")
        yield host


LOW = {SOMAXCONN: "64", SYN_BACKLOG: "128"}


# -- what it says


@root
def test_what_it_prints_is_what_a_shell_needs(low: Host) -> None:
    with low.nodes():
        printed = low.coord("tune", *NODES, "--total", "100k")
        low.run("sh", "-ec", printed.stdout).check_returncode()
        again = low.coord("tune", *NODES, "--total", "100k")

    assert printed.returncode == again.returncode == 0
    assert f"# on target {TARGET}" in printed.stdout
    assert "# accept-queue (tight): net.core.somaxconn is 64, and 512 is needed" in printed.stdout
    assert (low.get(SOMAXCONN), low.get(SYN_BACKLOG), low.get(PORT_RANGE)) == ("520", "520", "20000 20009")
    assert again.stdout == "# nothing to tune for 100,000 connections: no limit that is known is tight\n"
    assert not low.records


@root
def test_what_only_people_can_do_is_said(low: Host) -> None:
    with low.nodes():
        ended = low.coord("tune", *NODES, "--total", "900M", "--json", "-")
    by_limit = {each["limit"]: each for each in json.loads(ended.stdout)["advice"]}

    assert (by_limit["memory"]["command"], by_limit["memory"]["tunable"]) == ("", False)
    assert "ask for fewer connections" in by_limit["memory"]["why"]
    assert by_limit["open-files"]["command"].startswith("sysctl -w fs.file-max=")


# -- apply, undo


@root
def test_what_was_applied_is_undone_after_the_node_was_killed(low: Host) -> None:
    with low.nodes("--allow-tune") as target:
        assert low.changes("--apply") == {SOMAXCONN: ("64", "520"), SYN_BACKLOG: ("128", "520")}
        assert (low.get(SOMAXCONN), low.get(SYN_BACKLOG)) == ("520", "520")
        assert low.changes("--apply") == {}
        target.kill()
        target.wait()
        with low.target("--allow-tune"):
            assert low.changes("--undo") == {SOMAXCONN: ("520", "64"), SYN_BACKLOG: ("520", "128")}
            assert low.changes("--undo") == {}

    assert {name: low.get(name) for name in LOW} == LOW
    assert not low.records


@root
def test_without_named_nodes_this_machine_is_tuned(low: Host) -> None:
    applied = low.coord("tune", "--total", "100k", "--apply")
    raised_to = low.get(SOMAXCONN)
    undone = low.coord("tune", "--undo")

    assert (applied.returncode, undone.returncode) == (0, 0), applied.stderr + undone.stderr
    assert "net.core.somaxconn was 64 and is 520" in applied.stdout
    assert (raised_to, low.get(SOMAXCONN)) == ("520", "64")


@root
def test_what_is_restored_is_what_was_before_the_first_time(low: Host) -> None:
    with low.target("--allow-tune"):
        for value in ("500", "600", "550"):
            low.call("Tune", {"settings": {SOMAXCONN: value}})
        assert low.get(SOMAXCONN) == "600"
        low.call("Tune", {"undo": True})

    assert low.get(SOMAXCONN) == "64"


@root
def test_what_somebody_changed_since_is_left_and_said(low: Host) -> None:
    with low.nodes("--allow-tune"):
        low.tune("--apply")
        low.set(SOMAXCONN, "777")
        undone = low.coord("tune", *NODES, "--undo")
        again = low.coord("tune", *NODES, "--undo")

    assert undone.returncode == 1
    assert "somebody changed it from 520 to 777 since; left so" in undone.stdout
    assert "net.ipv4.tcp_max_syn_backlog was 520 and is 128" in undone.stdout
    assert low.get(SOMAXCONN) == "777"
    assert (again.returncode, again.stdout) == (0, "nothing to change\n")


@root
def test_another_network_namespace_is_another_place(low: Host) -> None:
    """With one record for both, as two nodes of one machine have."""
    with namespace(low.state, 1) as other, low.target("--allow-tune"), other.target("--allow-tune"):
        other.set(SOMAXCONN, "65")
        low.call("Tune", {"settings": {SOMAXCONN: "520"}})
        other.call("Tune", {"settings": {SOMAXCONN: "520"}})
        low.call("Tune", {"undo": True})

        assert (low.get(SOMAXCONN), other.get(SOMAXCONN)) == ("64", "520")
        other.call("Tune", {"undo": True})
        assert other.get(SOMAXCONN) == "65"


CRASHED = f"""
import sys
from c1m.state import state_directory
from c1m.tuned import Tuned, Written
tuned = Tuned(state_directory())
with tuned.held():
    tuned.keep("{SOMAXCONN}", Written(*sys.argv[1:]))
"""


@root
@pytest.mark.parametrize(
    ("record", "there"),
    [
        (("64", "64", "520"), "64"),
        (("64", "64", "520"), "520"),
        (("64", "520", "600"), "520"),
        (("64", "520", "600"), "600"),
    ],
)
def test_a_node_that_died_while_it_tuned_leaves_a_record(low: Host, record: tuple[str, ...], there: str) -> None:
    """It is on the disk before the setting is written, and so is found with what was there and with what was to be, the first
    time that something is raised and the second."""
    low.python(CRASHED, *record)
    low.set(SOMAXCONN, there)
    with low.target("--allow-tune"):
        answer = low.call("Tune", {"undo": True})

    assert [(each["before"], each["after"]) for each in answer["changes"]] == [(there, "64")]
    assert low.get(SOMAXCONN) == "64"
    assert not low.records


# -- what it does not do


@root
def test_what_no_node_can_do_for_itself_is_left_to_people(low: Host) -> None:
    """70 descriptors start a node, and leave it none for connections."""
    few = ["prlimit", "--nofile=70:70"]
    with low.target("--allow-tune"), node("worker", "--listen", WORKER, "--allow-tune", inside=[*low.inside, *few]):
        ended = low.coord("tune", *NODES, "--total", "10", "--apply")

    assert ended.returncode == 1
    assert f"# on worker {WORKER}\n# descriptors (will stop you): RLIMIT_NOFILE is 70" in ended.stdout
    assert "\nulimit -Hn " in ended.stdout


@root
def test_without_leave_nothing_is_changed(low: Host) -> None:
    with low.target(), node("worker", "--listen", WORKER, "--allow-tune", inside=low.inside):
        applied = low.coord("tune", *NODES, "--total", "100k", "--apply")
        asked = low.call("Tune", {"settings": {SOMAXCONN: "520"}})

    assert applied.returncode == 3
    assert applied.stderr.startswith(f"error: target {TARGET}: does not let others change settings")
    assert "--allow-tune" in applied.stderr
    assert asked["status"] == "FAILED_PRECONDITION"
    assert {name: low.get(name) for name in LOW} == LOW


@root
def test_a_node_that_is_busy_changes_nothing(low: Host) -> None:
    with low.nodes("--allow-tune"):
        low.call("Prepare", {"run_id": "other", "acceptors": 1, "lease_seconds": 3600})
        asked = low.call("Tune", {"settings": {SOMAXCONN: "520"}})
        applied = low.coord("tune", *NODES, "--total", "100k", "--apply")

    assert asked["status"] == "FAILED_PRECONDITION"
    assert "busy with run other" in asked["sentence"]
    assert applied.returncode == 3
    assert "busy with run other" in applied.stderr
    assert {name: low.get(name) for name in LOW} == LOW


@root
@pytest.mark.parametrize(
    "foreign", ["kernel.core_pattern", "net.ipv4.tcp_syncookies", "../../../tmp/x", "net.ipv4.conf.all.rp_filter"]
)
def test_a_setting_that_the_table_does_not_name_is_refused_with_all_that_came_with_it(low: Host, foreign: str) -> None:
    before = Path("/proc/sys/kernel/core_pattern").read_text()
    with low.target("--allow-tune"):
        asked = low.call("Tune", {"settings": {SOMAXCONN: "520", foreign: "1"}})
        garbage = low.call("Tune", {"settings": {SOMAXCONN: "520; reboot"}})

    assert asked["status"] == "FAILED_PRECONDITION"
    assert f"does not write {foreign};" in asked["sentence"]
    assert garbage["status"] == "INVALID_ARGUMENT"
    assert low.get(SOMAXCONN) == "64"
    assert Path("/proc/sys/kernel/core_pattern").read_text() == before


@root
def test_what_cannot_be_written_here_is_said_and_the_rest_is_done(low: Host) -> None:
    settings = {"net.core.netdev_max_backlog": "9000", SOMAXCONN: "10", PORT_RANGE: "1024 15000", SYN_BACKLOG: "1 2"}
    with low.target("--allow-tune"):
        changes = {each["name"]: each for each in low.call("Tune", {"settings": settings})["changes"]}

    hidden = changes["net.core.netdev_max_backlog"]
    assert "before" not in hidden
    assert "is the host's, and this network namespace does not show it" in hidden["reason"]
    assert (changes[SOMAXCONN]["after"], changes[SOMAXCONN].get("reason")) == ("64", None)
    assert (changes[PORT_RANGE]["after"], low.get(PORT_RANGE)) == ("1024 20009", "1024 20009")
    assert "is 1 figures" in changes[SYN_BACKLOG]["reason"]


@root
@pytest.mark.skipif(not Path(path_of(CONNTRACK)).exists(), reason="there is no conntrack")
def test_a_setting_that_the_namespace_sees_and_cannot_write_is_left_to_the_host(low: Host) -> None:
    now = Path(path_of(CONNTRACK)).read_text().strip()
    with low.target("--allow-tune"):
        (change,) = low.call("Tune", {"settings": {CONNTRACK: str(int(now) + 1)}})["changes"]

    assert (change["before"], change["after"]) == (now, now)
    assert "set it on the host itself" in change["reason"]
    assert not low.records


@root
def test_without_a_record_nothing_is_changed(low: Host) -> None:
    low.state.write_text("a file where the directory should be")
    with low.target("--allow-tune"):
        asked = low.call("Tune", {"settings": {SOMAXCONN: "520"}})

    assert asked["status"] == "FAILED_PRECONDITION"
    assert "changes nothing without a record" in asked["sentence"]
    assert low.get(SOMAXCONN) == "64"


HELD = """
import sys
from c1m.state import state_directory
from c1m.tuned import Tuned
with Tuned(state_directory()).held():
    print("held", flush=True)
    sys.stdin.read()
"""


@root
def test_one_node_of_a_host_tunes_at_a_time_and_none_waits(low: Host) -> None:
    holding = [*low.inside, sys.executable, "-c", HELD]
    with low.target("--allow-tune"):
        with subprocess.Popen(holding, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == "held\n"
            meanwhile = low.call("Tune", {"settings": {SOMAXCONN: "520"}})
            other.communicate()
        low.call("Tune", {"settings": {SOMAXCONN: "521"}})

    assert "while another node of this host does" in meanwhile["sentence"]
    assert low.get(SOMAXCONN) == "521"


@root
def test_a_record_that_is_no_record_is_said(low: Host) -> None:
    low.python(CRASHED, "64", "64", "520")
    (record,) = low.records
    record.write_text('{"host": 5}')
    with low.target("--allow-tune"):
        undone = low.call("Tune", {"undo": True})

    assert f"cannot read {record}" in undone["sentence"]


def coord(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "c1m.coordinator", "tune", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--apply", "--undo"), 2, "three different things"),
        (("--files", "/proc/c1m"), 2, "cannot write /proc/c1m"),
        (("--undo", "--worker", "127.0.0.1:1", "--target", "127.0.0.1:1"), 4, "unreachable"),
    ],
)
def test_words_that_lead_nowhere(words: Sequence[str], code: int, said: str) -> None:
    ended = coord(*words)

    assert ended.returncode == code
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1
