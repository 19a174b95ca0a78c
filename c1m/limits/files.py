"""The files of ``deploy/``: what of the table a machine needs that is to hold a million connections. Pure.

They are for any machine, and so raise only what is small on every one. What the kernel sizes by memory stands there as a
comment: one figure for all would lower it on large machines, and ``c1m-coord tune`` knows it for each.
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
# What machines have as they come, where that does not depend on their memory (Linux 5.4 to 6.18).
DEFAULTS: Final = {
    "fs.nr_open": "1048576",
    "net.core.somaxconn": "4096",
    "net.ipv4.neigh.default.gc_thresh3": "1024",
    "net.ipv4.tcp_max_syn_backlog": "128",
    "net.ipv4.tcp_syncookies": "0",  # while they are on, nothing is asked of the backlog
    "net.netfilter.nf_conntrack_max": "65536",
}
LEVELS: Final = {"conntrack": 1}  # something is tracked; otherwise nothing is asked of its table
MACHINE: Final = Host(0, "", "", "", "", 1, None, None, NO_LIMIT, NO_LIMIT, 0, DEFAULTS, levels=LEVELS)

# Settings of the table that are no sysctl, as units and limits.conf(5) name them. A unit's own limits, other than that
# of descriptors, would only come before those of the host.
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
# Made from c1m's table of limits by: c1m-coord tune --files DIR. What a fleet needs for a total says c1m-coord tune --total N.
"""


def deploy_files() -> dict[str, str]:
    """Path below deploy/ -> text."""
    units = {f"systemd/{name}.service": HEAD.format(about=about) + unit for name, (about, unit) in SERVICES.items()}
    return {
        "sysctl.d/90-c1m.conf": sysctl_conf(),
        "limits.d/90-c1m.conf": limits_conf(),
        **units,
        **{f"systemd/{name}.service.d/limits.conf": unit_conf() for name in SERVICES},
    }


def sysctl_conf() -> str:
    """Of every limit with a sysctl that lifts it: the line where a million connections need it, or why there is none."""
    needed = {
        name: value
        for found in assess(LIMITS, [Member("", MACHINE, SERVER)])
        for name, value in found.settings.items()
        if name in TUNABLE
    }
    about = f"/etc/sysctl.d: a machine that holds {CONNECTIONS:,} connections. sysctl --system reads it."
    blocks = [HEAD.format(about=about)]
    for limit in LIMITS:
        if names := [name for name in limit.settings(1, MACHINE) if name in TUNABLE and is_own(name, limit)]:
            lines = [f"-{name} = {needed[name]}" if name in needed else f"# {name}: {why_not(limit)}" for name in names]
            blocks.append("\n".join([f"# {limit.title}", *lines]) + "\n")
    return "\n".join(blocks)


def is_own(name: str, limit: Limit) -> bool:
    """Whether this limit is the first of the table whose cure it is."""
    return next(each for each in LIMITS if name in each.settings(1, MACHINE)) is limit


def why_not(limit: Limit) -> str:
    """Why the file leaves a setting alone."""
    if limit.is_asked and limit.value(MACHINE, SERVER) is None:
        return "the kernel sizes it by memory"
    return f"left as it comes; where it is met, {limit.cure}"


def limits_conf() -> str:
    about = "/etc/security/limits.d: for nodes that people start in a session of their own. It does not reach systemd units."
    # c1m raises the soft limit of its own processes; a high one for everybody breaks programs that use select(2).
    lines = [f"{who:4}  hard  {OF_USERS[name]}" for name in named_elsewhere() if name in OF_USERS for who in ("*", "root")]
    return "\n".join([HEAD.format(about=about), *lines]) + "\n"


def unit_conf() -> str:
    about = "A drop-in for the unit of the same name, or for a server's own: limits.d does not reach units."
    return "\n".join([HEAD.format(about=about), "[Service]", *(OF_UNITS[name] for name in named_elsewhere())]) + "\n"


def named_elsewhere() -> Mapping[str, None]:
    """Settings of the table that are no sysctl, in its order."""
    names = (name for limit in LIMITS for name in limit.settings(1, MACHINE))
    return dict.fromkeys(name for name in names if "." not in name)
