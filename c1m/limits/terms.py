"""What the rows of the table are made of: values, usage, needs, exceptions, and the settings that lift a limit. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from c1m.measure.sample import Host
from c1m.net.ports import parse_kernel_ports, parse_port_range

from .connection_memory import KERNEL_BYTES, TARGET_END, WORKER_END
from .limit import NO_LIMIT, Demand, HostRole
from .sysctls import whole

BACKLOG: Final = 65_535  # that c1m's acceptors ask for
LONGEST_CHAIN: Final = 16  # sockets in one bucket of the kernel's table; at 5.5 a connect took 3 us longer
# The shortest idle time that is widespread: Azure's NAT and load balancers. AWS's, and its instances since 2025, take 350 s.
CLOUD_IDLE_SECONDS: Final = 240
END_BYTES: Final = {HostRole.WORKER: WORKER_END, HostRole.TARGET: TARGET_END, HostRole.SERVER: KERNEL_BYTES}

Value = Callable[[Host, Demand], int | None]
Need = Callable[[Demand, Host], float | None]
Used = Callable[[Mapping[str, int], Host], int | None]
Settings = Callable[[int, Host], Mapping[str, str]]


# -- values


def sysctl(name: str, column: int = 0) -> Value:
    def value(host: Host, _ask: Demand) -> int | None:
        words = host.facts.get(name, "").split()
        return whole(words[column]) if column < len(words) else None

    return value


def reported(name: str) -> Value:
    return lambda host, _ask: host.limits.get(name)


def fewest(*values: Value) -> Value:
    def value(host: Host, ask: Demand) -> int | None:
        known = [found for each in values if (found := each(host, ask)) is not None]
        return min(known, default=None)

    return value


def ports_kept(host: Host, _ask: Demand) -> int | None:
    """Ports of ip_local_reserved_ports."""
    text = host.facts.get("net.ipv4.ip_local_reserved_ports")
    try:
        return None if text is None else parse_kernel_ports(text).size
    except ValueError:
        return None


def ephemeral_ports(host: Host, _ask: Demand) -> int | None:
    try:
        first, last = parse_port_range(host.facts.get("net.ipv4.ip_local_port_range", ""))
    except ValueError:
        return None
    return last - first + 1


def own_descriptors(host: Host, ask: Demand) -> int:
    """Not of a node that observes: what it may open itself is nobody's limit."""
    return NO_LIMIT if ask.role is HostRole.SERVER else host.descriptors_per_process


def server_descriptors(host: Host, ask: Demand) -> int | None:
    return host.limits.get("server_descriptors") if ask.role is HostRole.SERVER else NO_LIMIT


def chains(host: Host, _ask: Demand) -> int | None:
    """Sockets that the kernel's table holds before its chains are long. A namespace without a table of its own shows the
    size of the shared one, negative."""
    entries = whole(host.facts.get("net.ipv4.tcp_ehash_entries", "").lstrip("-"))
    return None if entries is None else entries * LONGEST_CHAIN


def ceiling(name: str) -> Value:
    """What a worker's operator has set; nothing else has one."""
    return lambda host, ask: host.limits.get(name, NO_LIMIT) if ask.role is HostRole.WORKER else NO_LIMIT


def space_of(*roles: HostRole) -> Value:
    return lambda _host, ask: ask.space if ask.role in roles else NO_LIMIT


def idle_limit(host: Host, _ask: Demand) -> int:
    own = whole(host.facts.get("net.netfilter.nf_conntrack_tcp_timeout_established", ""))
    return CLOUD_IDLE_SECONDS if own is None or inactive_conntrack(host) else min(own, CLOUD_IDLE_SECONDS)


# -- what is used


def level(name: str) -> Used:
    return lambda levels, _host: levels.get(name)


def memory_taken(levels: Mapping[str, int], host: Host) -> int | None:
    free = levels.get("memory_available_bytes")
    return None if free is None or host.memory_total_bytes is None else host.memory_total_bytes - free


# -- needs


def each_end(ask: Demand, _host: Host) -> float:
    return ask.connections


def by(*roles: HostRole) -> Need:
    """One for each end that nodes of these roles hold."""
    return lambda ask, _host: ask.connections if ask.role in roles else None


def memory_bytes(ask: Demand, _host: Host) -> float:
    return ask.connections * END_BYTES[ask.role]


def processes(ask: Demand, host: Host) -> float | None:
    """As many as the descriptors of one make necessary; a node starts one for each core at least."""
    if ask.role is HostRole.SERVER:
        return None
    return max(ask.processes, ask.connections / max(host.connections_per_process, 1))


def descriptors(ask: Demand, host: Host) -> float | None:
    """For the fullest process: its part of the connections, of which it can always be given few enough, and its own."""
    if ask.role is HostRole.SERVER or not ask.connections:
        return None
    beside = host.descriptors_per_process - host.connections_per_process
    part = -(-ask.connections // max(ask.processes, 1))
    return beside + max(min(part, host.connections_per_process), 1)


def openings(ask: Demand, _host: Host) -> float | None:
    return ask.rate or None if ask.role is HostRole.WORKER else None


def sending(ask: Demand, _host: Host) -> float | None:
    return ask.bandwidth or None if ask.role is HostRole.WORKER else None


def in_queue(ask: Demand, _host: Host) -> float | None:
    return ask.in_queue or None


def unread_pages(ask: Demand, _host: Host) -> float | None:
    """A FIN that the server has not answered is a page of TCP's memory; an idle connection takes none."""
    return ask.connections if ask.fin and ask.role is not HostRole.WORKER else None


def neighbours(ask: Demand, _host: Host) -> float | None:
    return ask.neighbours or None


def silence(ask: Demand, _host: Host) -> float | None:
    return ask.silent_seconds or None


# -- where a limit does not matter


def has(host: Host, *capabilities: str) -> bool:
    return bool(set(capabilities) & set(host.machine.get("capabilities", "").split()))


def exempt_from_file_max(host: Host) -> str:
    if has(host, "CAP_SYS_ADMIN"):
        return "c1m has CAP_SYS_ADMIN here and is exempt; every other program on the host is not"
    return ""


def exempt_from_nproc(host: Host) -> str:
    return "it does not hold for a process with CAP_SYS_ADMIN" if has(host, "CAP_SYS_ADMIN", "CAP_SYS_RESOURCE") else ""


def inactive_conntrack(host: Host) -> str:
    """A node is asked over TCP inside its own namespace: where connections are tracked, at least that one is."""
    return "" if host.levels.get("conntrack") else "nothing is tracked in this network namespace"


def cookies_instead(host: Host) -> str:
    if host.facts.get("net.ipv4.tcp_syncookies") == "0":
        return ""
    return "with tcp_syncookies on, the listener's backlog is what counts"


# -- what lifts a limit


def sysctls(*names: str) -> Settings:
    return lambda value, _host: {name: str(value) for name in names}


def descriptors_setting(value: int, host: Host) -> Mapping[str, str]:
    """No process may have more than fs.nr_open."""
    most = whole(host.facts.get("fs.nr_open", ""))
    above = {"fs.nr_open": str(value)} if most is not None and most < value else {}
    return {**above, "RLIMIT_NOFILE": str(value)}


def thread_settings(value: int, _host: Host) -> Mapping[str, str]:
    """PID_MAX_LIMIT is 2^22 (include/linux/threads.h)."""
    return {"kernel.pid_max": str(min(value, 1 << 22)), "kernel.threads-max": str(value)}


def tcp_mem_setting(value: int, _host: Host) -> Mapping[str, str]:
    """Low, pressure, high, in the kernel's own proportions."""
    return {"net.ipv4.tcp_mem": f"{value // 2} {value * 2 // 3} {value}"}


def one(limit: str) -> Settings:
    return lambda value, _host: {limit: str(value)}
