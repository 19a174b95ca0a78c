"""Generates the files of ``deploy/``: the settings that a machine needs to hold a million connections. Pure.

The files suit any machine, so they raise only settings that cost little on every machine. Settings that the kernel sizes by
memory appear as comments: one value for all would lower them on large machines, and ``c1m-coord tune`` computes them for
each machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from c1m.measure.sample import Host

from .assessment import Member, assess
from .limit import NO_LIMIT, Demand, HostRole, Limit
from .services import SERVICES
from .table import LIMITS
from .terms import BACKLOG
from .tunable import TUNABLE

CONNECTIONS: Final = 1_000_000
SERVER: Final = Demand(HostRole.TARGET, connections=CONNECTIONS, processes=1, in_queue=BACKLOG - 1)
# The kernel's defaults that do not depend on memory (Linux 5.4 to 6.18).
DEFAULTS: Final = {
    "fs.nr_open": "1048576",
    "net.core.somaxconn": "4096",
    "net.ipv4.neigh.default.gc_thresh3": "1024",
    "net.ipv4.tcp_max_syn_backlog": "128",
    "net.ipv4.tcp_syncookies": "0",  # with syncookies on, tcp_max_syn_backlog would not be needed
    "net.netfilter.nf_conntrack_max": "65536",
}
LEVELS: Final = {"conntrack": 1}  # if nothing is tracked, the conntrack table is not needed
MACHINE: Final = Host(0, "", "", "", "", 1, None, None, NO_LIMIT, NO_LIMIT, 0, DEFAULTS, levels=LEVELS)

# Settings of the table that are not sysctls, as units and limits.conf(5) name them. Units lift their own limits, except that of
# descriptors, because those would be reached before the limits of the host.
NOFILE: Final = DEFAULTS["fs.nr_open"]
OF_UNITS: Final = {
    "RLIMIT_NOFILE": f"LimitNOFILE={NOFILE}",
    "RLIMIT_NPROC": "LimitNPROC=infinity",
    "TasksMax": "TasksMax=infinity",
    "MemoryMax": "MemoryMax=infinity",
}
OF_USERS: Final = {"RLIMIT_NOFILE": f"nofile  {NOFILE}", "RLIMIT_NPROC": "nproc   unlimited"}

HEAD: Final = """\
# {about}
# Generated from c1m's table of limits by: c1m-coord tune --files DIR. For what a total needs, see c1m-coord tune --total N.
"""


def deploy_files() -> dict[str, str]:
    """Return the files of the directory deploy/ as {path below deploy/: text}."""
    units = {f"systemd/{name}.service": HEAD.format(about=about) + unit for name, (about, unit) in SERVICES.items()}
    return {
        "sysctl.d/90-c1m.conf": sysctl_conf(),
        "limits.d/90-c1m.conf": limits_conf(),
        **units,
        **{f"systemd/{name}.service.d/limits.conf": unit_conf() for name in SERVICES},
    }


def sysctl_conf() -> str:
    """Return the text of the sysctl.d file.

    Each limit that a sysctl lifts has a line that sets it, or a comment that says why not.
    """
    needed = {
        name: value
        for found in assess(LIMITS, [Member("", MACHINE, SERVER)])
        for name, value in found.settings.items()
        if name in TUNABLE
    }
    about = f"/etc/sysctl.d: settings for {CONNECTIONS:,} connections on one machine. Apply with sysctl --system."
    blocks = [HEAD.format(about=about)]
    for limit in LIMITS:
        if names := [name for name in limit.settings(1, MACHINE) if name in TUNABLE and is_own(name, limit)]:
            lines = [f"-{name} = {needed[name]}" if name in needed else f"# {name}: {why_not(limit)}" for name in names]
            blocks.append("\n".join([f"# {limit.title}", *lines]) + "\n")
    return "\n".join(blocks)


def is_own(name: str, limit: Limit) -> bool:
    """Return whether ``limit`` is the first limit of the table that this setting lifts."""
    return next(each for each in LIMITS if name in each.settings(1, MACHINE)) is limit


def why_not(limit: Limit) -> str:
    """Return a sentence that says why the sysctl.d file does not set the sysctl that lifts a limit."""
    if limit.is_asked and limit.value(MACHINE, SERVER) is None:
        return "the kernel sizes it by memory"
    return f"default kept; if the limit is reached, {limit.cure}"


def limits_conf() -> str:
    """Return the text of the limits.d file, which sets the resource limits of login sessions."""
    about = "/etc/security/limits.d: for nodes started in a login session. It does not apply to systemd units."
    # Hard limits only: c1m raises its own soft limits, and high soft limits for all programs break those that use select(2).
    lines = [f"{who:4}  hard  {OF_USERS[name]}" for name in named_elsewhere() if name in OF_USERS for who in ("*", "root")]
    return "\n".join([HEAD.format(about=about), *lines]) + "\n"


def unit_conf() -> str:
    """Return the text of the systemd drop-in file with the resource limits of a unit."""
    about = "A drop-in for the unit of the same name, or for a server's unit: limits.d does not apply to units."
    return "\n".join([HEAD.format(about=about), "[Service]", *(OF_UNITS[name] for name in named_elsewhere())]) + "\n"


def named_elsewhere() -> Mapping[str, None]:
    """Return the names of the settings in the table of limits that are not sysctls, each once, in the order of the table."""
    names = (name for limit in LIMITS for name in limit.settings(1, MACHINE))
    return dict.fromkeys(name for name in names if "." not in name)
