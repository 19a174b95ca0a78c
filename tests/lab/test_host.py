"""Facts of the host: the small readers on real files, and the facts against what else tells them."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from c1m.kernel.host import read_host, read_int, read_text
from c1m.net.ports import PortRanges


@pytest.mark.parametrize(
    ("content", "number", "reason"),
    [
        (b"4096\n", 4096, "a sysctl"),
        (b"4096", 4096, "without its line end"),
        (b"-1\n", -1, "some are negative"),
        (b"18446744073709551615\n", 2**64 - 1, "64 bits"),
        (b"", None, "empty"),
        (b"max\n", None, "a word"),
        (b"1 2\n", None, "two numbers"),
        (b"0x10\n", None, "not decimal"),
        (b"1_000\n", None, "Python's form, not the kernel's"),
        (b"\xd9\xa3\n", None, "a digit, but an Arabic one"),
        (b"\xff\n", None, "not UTF-8"),
        (b"1\n\n", None, "a line too many"),
        (b"9" * 5_000, None, "longer than any number of the kernel's"),
    ],
)
def test_a_number_is_read_or_unknown(tmp_path: Path, content: bytes, number: int | None, reason: str) -> None:
    file = tmp_path / "somaxconn"
    file.write_bytes(content)

    assert read_int(str(file)) == number, reason


@pytest.mark.parametrize(
    ("content", "text", "reason"),
    [
        (b"32768\t60999\n", "32768\t60999\n", "as it is"),
        (b"a\r\nb\rc\n", "a\r\nb\rc\n", "line ends are not translated: a command may hold them"),
        (b"\xff\xe2\x80\xa8", "\udcff\u2028", "what is not UTF-8 survives"),
        (b"", "", "empty is not unknown"),
    ],
)
def test_text_is_read_as_it_is(tmp_path: Path, content: bytes, text: str, reason: str) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)

    assert read_text(str(file)) == text, reason


def test_what_cannot_be_read_is_unknown(tmp_path: Path) -> None:
    assert read_text(str(tmp_path / "absent")) is None
    assert read_int(str(tmp_path / "absent")) is None
    assert read_text(str(tmp_path)) is None, "a directory"
    assert read_text(f"{tmp_path}/{'x' * 300}") is None, "a name too long"


def test_the_facts_of_this_host() -> None:
    host = read_host()

    assert host.hostname == socket.gethostname()
    assert host.kernel_release == os.uname().release
    assert host.boot_id is not None
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", host.boot_id)
    assert host.netns is not None
    assert f"net:[{host.netns}]" == os.readlink("/proc/self/ns/net")
    assert host.ephemeral_range is not None
    assert host.ephemeral_range[0] < host.ephemeral_range[1]
    assert isinstance(host.reserved_ports, PortRanges)
    assert read_host() == host, "two readings of one host are equal"


def test_cores_are_those_we_may_run_on() -> None:
    """A child bound to one core has one, however many the host has."""
    script = (
        "import os; from c1m.kernel.host import read_host;"
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); print(read_host().cores)"
    )
    child = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert child.stdout == "1\n"
    assert read_host().cores == len(os.sched_getaffinity(0))


def test_another_network_namespace_is_told_apart() -> None:
    script = "from c1m.kernel.host import read_host; host = read_host(); print(host.boot_id, host.netns)"
    command = ["unshare", "--net", sys.executable, "-c", script]
    if os.geteuid():
        pytest.skip("a network namespace takes root")
    child = subprocess.run(command, capture_output=True, text=True, check=True)
    boot_id, netns = child.stdout.split()

    assert boot_id == read_host().boot_id
    assert int(netns) != read_host().netns
