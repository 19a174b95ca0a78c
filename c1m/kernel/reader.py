"""Takes readings of this host: a few small files of /proc, once a second. The cost of reading is itself measured.

A reading takes 5 to 13 ms of CPU time with a million connections in fifty processes, PSS included. The size of these files
does not depend on the number of connections.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeVar

from c1m.measure.sample import Reading

from . import cgroup_events, machine, process_footprint, sockstat
from . import meminfo as memory
from .activity import Activity
from .cgroup import read_cgroup_pids
from .host import read_int, read_text
from .packet_drops import read_conntrack, read_softnet
from .slab import read_slabinfo

T = TypeVar("T")

# Counters that show why connections fail, stall or become ghosts. They belong to the reader's network namespace.
TCP_EXT: Final = frozenset(
    {
        "ListenOverflows",
        "ListenDrops",
        "TCPReqQFullDoCookies",
        "TCPReqQFullDrop",
        "SyncookiesSent",
        "SyncookiesRecv",
        "SyncookiesFailed",
        "TCPTimeouts",
        "TCPSynRetrans",
        "TCPAbortOnMemory",
        "TCPAbortOnTimeout",
        "TCPAbortOnData",
        "TCPAbortOnClose",
        "TCPMemoryPressures",
        "TCPTimeWaitOverflow",
        "TCPBacklogDrop",
        "TCPKeepAlive",
        "IPReversePathFilter",
        "PruneCalled",
    }
)
TCP: Final = frozenset({"ActiveOpens", "PassiveOpens", "AttemptFails", "EstabResets", "RetransSegs", "OutRsts"})

# Reading PSS makes the kernel walk page tables. At most this share of the time is spent on it: a server of 50 GB is read
# every half minute.
PSS_SHARE: Final = 0.02


class HostReader:
    """Takes the readings of one run on one node.

    ``pids`` returns the processes whose user memory is read, ``working`` those whose activity is read, and ``more`` the
    levels that only this node has. All three are called again for each reading.
    """

    def __init__(
        self,
        pids: Callable[[], Iterable[int]],
        working: Callable[[], Sequence[int]] = tuple,
        more: Callable[[], Mapping[str, int]] = dict,
    ) -> None:
        self.pids = pids
        self.working = working
        self.more = more
        self.activity = Activity()
        self.cgroups = cgroup_events.Cgroups()  # of the first working processes; all processes of a node are in the same ones
        self.taken = 0
        self.cost_seconds = 0.0
        self.pss_bytes: int | None = None
        self.next_pss = 0.0
        self.unknown: dict[str, None] = {}  # the reasons why something is unknown, each once, in order

    def take(self, *, walk: bool = True) -> Reading:
        """Return a new reading of this host.

        A value that cannot be read is unknown in it. With ``walk`` the processes' PSS is read too if it is due.
        """
        began = time.thread_time()
        meminfo = self.known(memory.read_meminfo) or {}
        tcp = (self.known(sockstat.read_sockstat) or {}).get("TCP", {})
        # Keep the cgroups of the first processes: if those are killed, their cgroup records why, and the cgroup of their
        # replacements may not.
        if (working := self.working()) and self.cgroups == cgroup_events.Cgroups():
            self.cgroups = self.known(lambda: cgroup_events.cgroups_of(working[0])) or self.cgroups
        if walk:
            self.walk(time.monotonic())
        reading = Reading(
            number=self.taken,
            sockets=tcp.get("alloc"),
            slab_bytes=meminfo.get("Slab"),
            pss_bytes=self.pss_bytes,
            caches=self.known(read_slabinfo) or {},
            counters={
                **(self.known(counters) or {}),
                **(self.known(lambda: cgroup_events.events(self.cgroups)) or {}),
            },
            levels={
                **(self.known(lambda: levels(tcp, meminfo)) or {}),
                **(self.known(lambda: self.activity.take(working, time.monotonic())) or {}),
                **(self.known(self.more) or {}),
            },
            cost_seconds=self.cost_seconds,
            unknown=tuple(self.unknown),
        )
        self.taken += 1
        self.cost_seconds += time.thread_time() - began
        return reading

    def known(self, read: Callable[[], T | None]) -> T | None:
        """Return what the function ``read`` returns.

        If it raises because a file of the kernel is unreadable or has an unexpected form, record the reason and return None, so
        that the run goes on.
        """
        try:
            return read()
        except (ValueError, OSError) as error:  # OSError: no sock_diag, as in some sandboxes
            self.unknown.setdefault(str(error))
            return None

    def walk(self, now: float) -> None:
        """Read the PSS of the node's processes and store the sum in ``pss_bytes``, if a new value is due at the time ``now``.

        Returns nothing.
        """
        if now < self.next_pss:
            return
        found = [process_footprint.read_footprint(pid) for pid in self.pids()]
        sizes = [footprint.pss_bytes for footprint in found if footprint]
        self.pss_bytes = sum(sizes) if sizes else None
        self.next_pss = now + (time.monotonic() - now) / PSS_SHARE


def counters() -> dict[str, int]:
    """Return cumulative kernel counters by name: TCP events, packets dropped before TCP saw them, and CPU times.

    A counter that this kernel does not have is absent.
    """
    extended = (sockstat.read_netstat() or {}).get("TcpExt", {})
    plain = (sockstat.read_snmp() or {}).get("Tcp", {})
    found = {name: value for name, value in extended.items() if name in TCP_EXT}
    found |= {name: value for name, value in plain.items() if name in TCP}
    if softnet := read_softnet():
        found |= {"softnet_dropped": softnet.dropped, "softnet_squeezed": softnet.squeezed}
    if table := read_conntrack():
        found |= {"conntrack_dropped": table.get("drop", 0) + table.get("early_drop", 0)}
    return found | machine.read_counters()


def read_levels() -> dict[str, int]:
    """Return the current usage of everything that has a limit on this host, by name.

    The mapping is empty if a file of the kernel has an unexpected form; the run's readings then say which.
    """
    try:
        return levels((sockstat.read_sockstat() or {}).get("TCP", {}), memory.read_meminfo() or {})
    except ValueError:
        return {}


def levels(tcp: Mapping[str, int], meminfo: Mapping[str, int]) -> dict[str, int]:
    """Return the current usage of everything that has a limit on this host, by name; an unknown level is absent.

    ``tcp`` is the TCP line of sockstat.
    """
    of_ipv6 = (sockstat.read_sockstat6() or {}).get("TCP6", {})
    cgroup, pids = memory.read_cgroup_memory(), read_cgroup_pids()
    known = {
        "tcp_inuse": tcp["inuse"] + of_ipv6.get("inuse", 0) if "inuse" in tcp else None,
        "tcp_curr_estab": (sockstat.read_snmp() or {}).get("Tcp", {}).get("CurrEstab"),  # includes CLOSE_WAIT
        "tcp_orphans": tcp.get("orphan"),
        "tcp_time_wait": tcp.get("tw"),
        "tcp_mem_pages": tcp.get("mem"),
        "memory_available_bytes": memory.memory_state(meminfo).available_bytes if meminfo else None,
        "slab_reclaimable_bytes": meminfo.get("SReclaimable"),
        "cgroup_memory_bytes": cgroup.usage_bytes if cgroup else None,
        "open_files": parse_file_nr(read_text("/proc/sys/fs/file-nr") or ""),
        "conntrack": read_int("/proc/sys/net/netfilter/nf_conntrack_count"),
        "cgroup_pids": pids.used if pids else None,
        "threads": parse_threads(read_text("/proc/loadavg") or ""),
    }
    return {name: value for name, value in known.items() if value is not None}


def listening(queues: Mapping[int, tuple[int, int]]) -> dict[str, int]:
    """Return three levels of a target's listeners: the number of listening ports, and the length and backlog of the fullest
    accept queue. ``queues`` is {port: (queued, backlog)}. A queue is full at backlog + 1.
    """
    if not queues:
        return {"listeners": 0}
    queued, backlog = max(queues.values(), key=lambda each: each[0] - each[1])
    return {"listeners": len(queues), "accept_queue": queued, "accept_backlog": backlog}


def parse_file_nr(text: str) -> int | None:
    """Return the number of open files of the machine, allocated less free, from the text of fs.file-nr.

    None for text of another form.
    """
    found = re.fullmatch(r"(\d{1,18})\s+(\d{1,18})\s+\d{1,20}\s*", text)
    return int(found[1]) - int(found[2]) if found else None


def parse_threads(text: str) -> int | None:
    """Return the number of threads of the whole machine from the text of /proc/loadavg.

    None for text of another form. Each thread uses one process id.
    """
    found = re.fullmatch(r"\S+ \S+ \S+ \d{1,9}/(\d{1,9}) \d{1,10}\s*", text)
    return int(found[1]) if found else None
