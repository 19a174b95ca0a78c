"""The functions that rows of the table consist of: values, usage, needs, exceptions, and the settings that lift a limit.

Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from c1m.measure.sample import Host
from c1m.net.ports import parse_kernel_ports, parse_port_range

from .connection_memory import KERNEL_BYTES, TARGET_END, WORKER_END
from .limit import NO_LIMIT, Demand, HostRole
from .sysctls import whole

BACKLOG: Final = 65_535  # the listen backlog that c1m's acceptors request
LONGEST_CHAIN: Final = 16  # sockets in one bucket of the kernel's table; at 5.5 a connect took 3 us longer
# The shortest widespread idle timeout: Azure's NAT and load balancers. AWS's NAT, and its instances since 2025, use 350 s.
CLOUD_IDLE_SECONDS: Final = 240
END_BYTES: Final = {HostRole.WORKER: WORKER_END, HostRole.TARGET: TARGET_END, HostRole.SERVER: KERNEL_BYTES}

Value = Callable[[Host, Demand], int | None]
Need = Callable[[Demand, Host], float | None]
Used = Callable[[Mapping[str, int], Host], int | None]
Settings = Callable[[int, Host], Mapping[str, str]]


# -- values


def sysctl(name: str, column: int = 0) -> Value:
    """Return a function that returns the number in one column of a sysctl, or None if the host does not report it."""

    def value(host: Host, _ask: Demand) -> int | None:
        words = host.facts.get(name, "").split()
        return whole(words[column]) if column < len(words) else None

    return value


def reported(name: str) -> Value:
    """Return a function that returns the value which the host reports in ``Host.limits`` under a name, or None."""
    return lambda host, _ask: host.limits.get(name)


def fewest(*values: Value) -> Value:
    """Return a function that returns the smallest known result of several value functions, or None if none is known."""

    def value(host: Host, ask: Demand) -> int | None:
        known = [found for each in values if (found := each(host, ask)) is not None]
        return min(known, default=None)

    return value


def ports_kept(host: Host, _ask: Demand) -> int | None:
    """Return how many ports ip_local_reserved_ports contains. None if it is unknown."""
    text = host.facts.get("net.ipv4.ip_local_reserved_ports")
    try:
        return None if text is None else parse_kernel_ports(text).size
    except ValueError:
        return None


def ephemeral_ports(host: Host, _ask: Demand) -> int | None:
    """Return how many ports ip_local_port_range contains. None if it is unknown."""
    try:
        first, last = parse_port_range(host.facts.get("net.ipv4.ip_local_port_range", ""))
    except ValueError:
        return None
    return last - first + 1


def own_descriptors(host: Host, ask: Demand) -> int:
    """Return how many descriptors one process of a node may open.

    For a node that only observes a server the result is NO_LIMIT.
    """
    return NO_LIMIT if ask.role is HostRole.SERVER else host.descriptors_per_process


def server_descriptors(host: Host, ask: Demand) -> int | None:
    """Return how many descriptors the processes of an observed server may open, or None if unknown.

    For nodes of other roles the result is NO_LIMIT.
    """
    return host.limits.get("server_descriptors") if ask.role is HostRole.SERVER else NO_LIMIT


def chains(host: Host, _ask: Demand) -> int | None:
    """Return how many sockets the kernel's hash table of connections holds before its chains get long.

    None if unknown. A namespace without a table of its own shows the size of the shared table as a negative number.
    """
    entries = whole(host.facts.get("net.ipv4.tcp_ehash_entries", "").lstrip("-"))
    return None if entries is None else entries * LONGEST_CHAIN


def ceiling(name: str) -> Value:
    """Return a function that returns the ceiling of this name that a worker's operator has set; NO_LIMIT without one and for
    nodes of other roles.
    """
    return lambda host, ask: host.limits.get(name, NO_LIMIT) if ask.role is HostRole.WORKER else NO_LIMIT


def space_of(*roles: HostRole) -> Value:
    """Return a function that returns how many connections the plan has room for on a node of these roles; NO_LIMIT for nodes of
    other roles.
    """
    return lambda _host, ask: ask.space if ask.role in roles else NO_LIMIT


def idle_limit(host: Host, _ask: Demand) -> int:
    """Return the seconds after which an idle connection may be forgotten: by this host's conntrack if that is active, or by a
    cloud's NAT.
    """
    own = whole(host.facts.get("net.netfilter.nf_conntrack_tcp_timeout_established", ""))
    return CLOUD_IDLE_SECONDS if own is None or inactive_conntrack(host) else min(own, CLOUD_IDLE_SECONDS)


# -- what is used


def level(name: str) -> Used:
    """Return a function that returns the usage of a limit: the level of this name in a node's reading, or None if it is
    unknown.
    """
    return lambda levels, _host: levels.get(name)


def memory_taken(levels: Mapping[str, int], host: Host) -> int | None:
    """Return the host's used memory in bytes, or None if it is unknown."""
    free = levels.get("memory_available_bytes")
    return None if free is None or host.memory_total_bytes is None else host.memory_total_bytes - free


# -- needs


def each_end(ask: Demand, _host: Host) -> float:
    """Return how many ends of connections the plan gives to a node."""
    return ask.connections


def by(*roles: HostRole) -> Need:
    """Return a function that returns how many ends of connections a node of these roles holds, and None for nodes of other
    roles.
    """
    return lambda ask, _host: ask.connections if ask.role in roles else None


def memory_bytes(ask: Demand, _host: Host) -> float:
    """Return the bytes of memory that a node's ends of connections need."""
    return ask.connections * END_BYTES[ask.role]


def processes(ask: Demand, host: Host) -> float | None:
    """Return how many processes a node needs: one for each core, or more if a process has too few descriptors.

    None for a node that only observes.
    """
    if ask.role is HostRole.SERVER:
        return None
    return max(ask.processes, ask.connections / max(host.connections_per_process, 1))


def descriptors(ask: Demand, host: Host) -> float | None:
    """Return how many descriptors the fullest process of a node needs: its part of the connections, and its own.

    None for an observing node or without connections. The plan never gives a process more connections than fit.
    """
    if ask.role is HostRole.SERVER or not ask.connections:
        return None
    beside = host.descriptors_per_process - host.connections_per_process
    part = -(-ask.connections // max(ask.processes, 1))
    return beside + max(min(part, host.connections_per_process), 1)


def openings(ask: Demand, _host: Host) -> float | None:
    """Return how many connections a second a worker opens. None if that is unknown or the node is no worker."""
    return ask.rate or None if ask.role is HostRole.WORKER else None


def sending(ask: Demand, _host: Host) -> float | None:
    """Return how many bits a second a worker sends. None if that is unknown or the node is no worker."""
    return ask.bandwidth or None if ask.role is HostRole.WORKER else None


def in_queue(ask: Demand, _host: Host) -> float | None:
    """Return how many handshakes are in progress toward one listener of a node. None if there are none."""
    return ask.in_queue or None


def unread_pages(ask: Demand, _host: Host) -> float | None:
    """Return the pages of TCP memory that a server needs when its connections are closed with FINs: one for each FIN that it
    has not answered. None for workers and for runs that close with RSTs.
    """
    return ask.connections if ask.fin and ask.role is not HostRole.WORKER else None


def neighbours(ask: Demand, _host: Host) -> float | None:
    """Return the addresses on its own link that the node communicates with. None if there are none."""
    return ask.neighbours or None


def silence(ask: Demand, _host: Host) -> float | None:
    """Return the longest time in seconds for which a connection is idle. None if nothing on the path may forget it."""
    return ask.silent_seconds or None


# -- where a limit does not matter


def has(host: Host, *capabilities: str) -> bool:
    """Return whether the node has one of these capabilities on the host."""
    return bool(set(capabilities) & set(host.machine.get("capabilities", "").split()))


def exempt_from_file_max(host: Host) -> str:
    """Return a sentence that says why fs.file-max does not stop c1m on this host, or "" if it does."""
    if has(host, "CAP_SYS_ADMIN"):
        return "c1m has CAP_SYS_ADMIN here and is exempt; every other program on the host is not"
    return ""


def exempt_from_nproc(host: Host) -> str:
    """Return a sentence that says why RLIMIT_NPROC does not matter on this host, or "" if it does."""
    return "it does not apply to a process with CAP_SYS_ADMIN" if has(host, "CAP_SYS_ADMIN", "CAP_SYS_RESOURCE") else ""


def inactive_conntrack(host: Host) -> str:
    """Return a sentence that says why conntrack does not matter on this host, or "" if it does.

    The coordinator calls a node over TCP inside the node's own namespace. Where connections are tracked, at least that one is.
    """
    return "" if host.levels.get("conntrack") else "nothing is tracked in this network namespace"


def cookies_instead(host: Host) -> str:
    """Return a sentence that says why the SYN queue does not matter on this host, or "" if it does."""
    if host.facts.get("net.ipv4.tcp_syncookies") == "0":
        return ""
    return "with tcp_syncookies on, only the listener's backlog counts"


# -- what lifts a limit


def sysctls(*names: str) -> Settings:
    """Return a function that returns {sysctl: wanted value}, with the same value for each of these sysctls."""
    return lambda value, _host: {name: str(value) for name in names}


def descriptors_setting(value: int, host: Host) -> Mapping[str, str]:
    """Return the settings that raise the descriptor limit to a value.

    They include fs.nr_open if it is lower, since no process may exceed it.
    """
    most = whole(host.facts.get("fs.nr_open", ""))
    above = {"fs.nr_open": str(value)} if most is not None and most < value else {}
    return {**above, "RLIMIT_NOFILE": str(value)}


def thread_settings(value: int, _host: Host) -> Mapping[str, str]:
    """Return the sysctls that allow a number of threads.

    kernel.pid_max is at most PID_MAX_LIMIT, 2^22 (include/linux/threads.h).
    """
    return {"kernel.pid_max": str(min(value, 1 << 22)), "kernel.threads-max": str(value)}


def tcp_mem_setting(value: int, _host: Host) -> Mapping[str, str]:
    """Return the sysctl tcp_mem with the wanted maximum, in pages: low, pressure and high in the kernel's own proportions."""
    return {"net.ipv4.tcp_mem": f"{value // 2} {value * 2 // 3} {value}"}


def one(limit: str) -> Settings:
    """Return a function that returns {setting: wanted value} for the setting of this name."""
    return lambda value, _host: {limit: str(value)}
