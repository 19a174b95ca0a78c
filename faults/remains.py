"""What is left when a run is over: processes, sockets, ports that listen, files."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from fleet import TARGET_PORT, WORKER_PORT, Fleet
from testbed import COORDINATOR, MACHINES, Testbed

# include/net/tcp_states.h, by their numbers
STATES = (
    *("", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT"),
    *("CLOSE", "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING", "NEW_SYN_RECV"),
)


class Socket(NamedTuple):
    port: int
    peer: str
    state: str
    inode: int  # 0: no process has it any more, and the kernel brings it to its end


def parse_sockets(text: str) -> list[Socket]:
    """Return the sockets in the text of /proc/net/tcp."""
    found = []
    for line in text.splitlines()[1:]:
        _, local, remote, state, *_, inode = line.split()[:10]
        found.append(Socket(int(local.rpartition(":")[2], 16), remote, STATES[int(state, 16)], int(inode)))
    return found


def sockets(testbed: Testbed, machine: str) -> list[Socket]:
    return parse_sockets(testbed.within(machine, lambda: Path("/proc/thread-self/net/tcp").read_text()))


def owned_sockets(testbed: Testbed) -> list[str]:
    """Return a text for each socket of a process on any machine, without those of control ports."""
    control = {WORKER_PORT, TARGET_PORT}
    return [
        f"{machine}: port {socket.port} {socket.state}"
        for machine in MACHINES
        for socket in sockets(testbed, machine)
        if socket.inode and not (socket.state == "LISTEN" and socket.port in control)
    ]


def orphans(testbed: Testbed) -> int:
    """Connections that no process has any more, and whose last words nobody has answered yet."""
    return sum(
        not socket.inode and socket.state not in ("TIME_WAIT", "LISTEN")
        for machine in MACHINES
        for socket in sockets(testbed, machine)
    )


def files(fleet: Fleet) -> list[str]:
    """But for the summary, and the journal of the run with what SQLite keeps beside it."""
    expected = {fleet.summary}
    expected |= set((fleet.state(COORDINATOR) / "c1m").glob("*.journal*"))
    found = (path for machine in MACHINES for path in fleet.home(machine).rglob("*") if path.is_file())
    return [str(path.relative_to(fleet.folder)) for path in found if path not in expected]
