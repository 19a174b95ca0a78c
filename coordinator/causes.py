"""What stops a run, as a table: the evidence that gives each cause away, what it means, and what to do about it. Pure.

A cause is named where all of its ``signs`` show on one node, while the run is in a trouble that the cause can make. Where
two rules of one cause fit a node, the first one tells it. A cause that explains others (a stopped acceptor fills its accept
queue, and a full queue leaves SYNs unanswered) stands in for them. What is told always is no trouble of its own: a counter
that stays still in a healthy run, of which a person should hear even where everything was reached.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from .evidence import Evidence
from .signs import AtLeast, Dropped, Error, Full, Overflowing, Rose, Sign, Silent, Told
from .stall import PATIENCE_SECONDS, Trouble

WORKER: Final = ("worker",)
TARGET: Final = ("target",)
BOTH: Final = ("worker", "target")
ANY: Final = frozenset(Trouble)
GROWTH: Final = frozenset({Trouble.STALLED, Trouble.LATE})
FAILED: Final = frozenset({Trouble.FAILED})
ALWAYS: Final = frozenset[Trouble]()

# What follows from a server that does not accept, or does it too slowly.
UNACCEPTED: Final = ("accept queue", "SYN queue", "SYN cookies", "SYN unanswered")
FULLEST: Final = Full("descriptors", "descriptors_limit", "{value} of {limit} in the fullest process", percent=99)
UNANSWERED: Final = (
    (GROWTH, (Rose("TCPSynRetrans"), AtLeast("in_flight", 1, "{value} in flight"))),
    (FAILED, (Error("handshake ETIMEDOUT"),)),
)
ACCEPT_CURE: Final = "raise net.core.somaxconn ({net.core.somaxconn}) and the listener's backlog"
MEMORY_CURE: Final = "raise the cgroup's limit (MemoryMax= in the unit, docker --memory), or ask for fewer connections"


@dataclass(frozen=True, slots=True)
class Rule:
    """``says`` and ``cure`` may name facts of the host in braces, {net.core.somaxconn}; what is shown is their value."""

    cause: str
    on: tuple[str, ...]  # roles
    troubles: frozenset[Trouble]  # of which one must be there; none: told always
    signs: tuple[Sign, ...]  # all must show
    says: str
    cure: str
    also: tuple[Sign, ...] = ()  # told where they show
    elsewhere: tuple[Sign, ...] = ()  # must show on a node of the other role
    instead_of: tuple[str, ...] = ()
    last_resort: bool = False  # could explain anything, and is therefore looked at only when nothing else explains it

    @property
    def of_host(self) -> bool:
        """Whether all nodes of a host see it alike: then one of them tells it."""
        return all(isinstance(sign, Rose) for sign in self.signs)


RULES: Final = (
    Rule(
        "node silent",
        BOTH,
        ANY,
        (Silent(PATIENCE_SECONDS),),
        "it has stopped answering: its program is stopped or has ended, or its machine hangs or is cut off",
        "look whether the machine answers, and what state the program is in there (ps -o stat; T: kill -CONT)",
        also=(Told(""),),
        instead_of=UNACCEPTED,
    ),
    Rule(
        "process stopped",
        BOTH,
        ANY,
        (AtLeast("processes_stopped", 1, "{value} in state T"),),
        "processes of it are stopped by a signal or a debugger, and do nothing",
        "let them go on with kill -CONT",
        also=(Overflowing(), Rose("ListenOverflows")),
        instead_of=UNACCEPTED,
    ),
    Rule(
        "killed for memory",
        BOTH,
        ANY,
        (Rose("cgroup_oom_kills"),),
        "the kernel killed processes of its cgroup, which was out of memory",
        MEMORY_CURE,
        also=(Told("SIGKILL"), Rose("cgroup_memory_hits")),
        instead_of=("memory", "refused", *UNACCEPTED),
    ),
    Rule("memory", BOTH, ANY, (Told("of memory left"),), "it was about to run out of memory", MEMORY_CURE),
    Rule(
        "memory",
        BOTH,
        ANY,
        (Error("socket ENOMEM", "socket ENOBUFS", "accept ENOMEM", "accept ENOBUFS"),),
        "the kernel had no memory for another socket",
        MEMORY_CURE,
        also=(Rose("cgroup_memory_hits"),),
        instead_of=UNACCEPTED,
    ),
    Rule(
        "process descriptors",
        BOTH,
        ANY,
        (Error("socket EMFILE", "accept EMFILE"),),
        "a process of it has no descriptor left for another connection",
        "raise ulimit -Hn, LimitNOFILE= in the unit, or docker --ulimit nofile=, and start it again",
        also=(FULLEST, Overflowing()),
        instead_of=UNACCEPTED,
    ),
    Rule(
        "process descriptors",
        TARGET,
        ANY,
        (FULLEST,),
        "a process of the server has no descriptor left for another connection",
        "raise the server's own limit (worker_rlimit_nofile, maxconn), and LimitNOFILE= in its unit or ulimit -Hn",
        also=(Overflowing(),),
        instead_of=UNACCEPTED,
    ),
    Rule(
        "acceptors full",
        TARGET,
        GROWTH,
        (AtLeast("acceptors_full", 1, "{value} full"), AtLeast("accept_queue", 1, "{value} wait in the fullest queue")),
        "acceptors hold as many connections as they have descriptors for, and more are waiting",
        "raise ulimit -Hn there, or look who else connects to its ports",
        instead_of=UNACCEPTED,
    ),
    Rule(
        "files of the machine",
        BOTH,
        ANY,
        (Error("socket ENFILE", "accept ENFILE"),),
        "the whole machine has no file left to open",
        "raise fs.file-max ({fs.file-max})",
        instead_of=UNACCEPTED,
    ),
    Rule(
        "source address not local",
        WORKER,
        ALWAYS,
        (Error("bind EADDRNOTAVAIL"),),
        "source addresses of the run are not this machine's",
        "add them (ip addr add), make their prefix local (ip route add local PREFIX dev lo), or leave them out of --source",
        instead_of=("client ports taken",),
    ),
    Rule(
        "client ports taken",
        WORKER,
        FAILED,
        (Error("bind EADDRINUSE", "connect EADDRNOTAVAIL"),),
        "other programs hold so many of its client ports that not every connection found one; what the kernel chooses ports "
        "from is net.ipv4.ip_local_port_range ({net.ipv4.ip_local_port_range})",
        "give more --source addresses or other --ports, or close what holds them (ss -tan); TIME_WAIT takes a minute",
    ),
    Rule(
        "no route",
        WORKER,
        ANY,
        (Error("connect ENETUNREACH", "connect EHOSTUNREACH"),),
        "it has no route to where it connects",
        "add one (ip route add), or say with --data-host where the target is to be reached from there",
    ),
    Rule(
        "forbidden there",
        WORKER,
        ANY,
        (Error("connect EACCES", "connect EPERM", "handshake EPERM"),),
        "its own firewall or routes forbid these connections",
        "look at nft list ruleset and ip route there, for a reject, a drop in output, or a prohibit",
    ),
    Rule(
        "unreachable",
        WORKER,
        ANY,
        (Error("handshake EHOSTUNREACH", "handshake ENETUNREACH", "handshake EACCES"),),
        "it is told that the target cannot be reached: by ICMP from a router or a firewall on the way, or because nobody on "
        "its network has the address",
        "look at the routes and firewalls between them, and whether the target's machine is up",
        instead_of=("SYN unanswered",),
    ),
    Rule(
        "refused",
        WORKER,
        ANY,
        (Error("handshake ECONNREFUSED"),),
        "its connections are refused, although the target listens: a firewall answers in the target's place",
        "look for rules that reject with tcp reset, on the target and on the way",
        elsewhere=(AtLeast("listeners", 1, "{value} listening ports"),),
    ),
    Rule(
        "refused",
        WORKER,
        ANY,
        (Error("handshake ECONNREFUSED"),),
        "its connections are refused: nothing listens on the port, or a firewall rejects them",
        "start the server, correct the port, or look for rules that reject with tcp reset",
    ),
    Rule(
        "kernel-chosen ports",
        TARGET,
        ANY,
        (Full("chosen_ports", "choosable_ports", "{value} of {limit} in use", percent=98),),
        "the kernel has no port left to choose there for connections that the server itself opens, as a proxy does: "
        "net.ipv4.ip_local_port_range ({net.ipv4.ip_local_port_range}) without the reserved "
        "({net.ipv4.ip_local_reserved_ports})",
        "widen net.ipv4.ip_local_port_range, free ip_local_reserved_ports, or give the proxy more source or upstream addresses",
        instead_of=("server closes",),
    ),
    Rule(
        "server closes",
        WORKER,
        ANY,
        (Dropped("peer_closed", "peer_reset"),),
        "the server accepts connections and closes them again itself",
        "look at its limit of connections (maxclients, maxconn, worker_connections) and at its log",
    ),
    Rule(
        "conntrack table",
        BOTH,
        ANY,
        (Full("conntrack", "net.netfilter.nf_conntrack_max", "{value} of {limit} entries", percent=99.5),),
        "its table of tracked connections is full, and the kernel drops packets of new ones without a word",
        "raise net.netfilter.nf_conntrack_max ({net.netfilter.nf_conntrack_max}) and its hash size, or exempt the run's "
        "ports from tracking (notrack)",
        also=(Rose("conntrack_dropped"), Rose("TCPSynRetrans")),
        instead_of=("SYN unanswered",),
    ),
    Rule(
        "CPU quota",
        BOTH,
        GROWTH,
        (Rose("cgroup_cpu_throttled"), AtLeast("longest_cpu_wait_percent", 30, "a process waits {value} % of the time")),
        "its cgroup has used up its share of CPU again and again, and its processes had to wait",
        "raise the cgroup's quota (CPUQuota= in the unit, docker --cpus), or pace the run with a lower --rate",
        instead_of=("CPU", *UNACCEPTED),
    ),
    Rule(
        "CPU",
        BOTH,
        GROWTH,
        (AtLeast("longest_cpu_wait_percent", 40, "a process waits for a CPU {value} % of the time"),),
        "its processes are ready to work and get no CPU",
        "look what else runs there (top) and on which CPUs they may run (taskset -p), or add workers, or lower --rate",
        also=(AtLeast("busiest_cpu_percent", 1, "and runs {value} % of it"),),
        instead_of=UNACCEPTED,
    ),
    Rule(
        "CPU",
        BOTH,
        GROWTH,
        (AtLeast("busiest_cpu_percent", 90, "its busiest process uses {value} % of a CPU"),),
        "a process of it has all of a CPU, and would need more",
        "add workers or cores, or lower --rate",
        instead_of=UNACCEPTED,
    ),
    Rule(
        "reverse path filter",
        BOTH,
        ALWAYS,
        (Rose("IPReversePathFilter"),),
        "packets came from where their sender is not expected, and were dropped",
        "set net.ipv4.conf.*.rp_filter to 2 or 0, or route the source addresses back where they come from",
        instead_of=("SYN unanswered",),
    ),
    Rule(
        "SYN queue",
        TARGET,
        ALWAYS,
        (Rose("TCPReqQFullDrop"),),
        "SYNs found the SYN queue full and were dropped",
        "raise net.ipv4.tcp_max_syn_backlog ({net.ipv4.tcp_max_syn_backlog}) and the listener's backlog, or set "
        "net.ipv4.tcp_syncookies ({net.ipv4.tcp_syncookies}) to 1",
        instead_of=("SYN unanswered",),
    ),
    Rule(
        "accept queue",
        TARGET,
        ALWAYS,
        (Rose("ListenOverflows"),),
        "accept queues were full, and each time a connection waited for its next SYN or became a ghost",
        f"{ACCEPT_CURE}, or accept faster",
        also=(Overflowing(),),
        instead_of=("SYN unanswered",),
    ),
    Rule(
        "accept queue",
        TARGET,
        ANY,
        (Overflowing(),),
        "an accept queue is full: connections wait to be accepted",
        f"{ACCEPT_CURE}, or accept faster",
        instead_of=("SYN unanswered",),
    ),
    Rule(
        "SYN cookies",
        TARGET,
        ALWAYS,
        (Rose("TCPReqQFullDoCookies"),),
        "handshakes found the SYN queue full and were answered with cookies, which are how ghosts are made",
        ACCEPT_CURE,
        also=(Rose("SyncookiesSent"),),
    ),
    Rule(
        "SYN cookies",
        TARGET,
        ALWAYS,
        (Rose("SyncookiesSent"),),
        "handshakes were answered with SYN cookies",
        f"{ACCEPT_CURE}, or set net.ipv4.tcp_syncookies ({{net.ipv4.tcp_syncookies}}) to 1 if it is 2, which sends them always",
    ),
    Rule(
        "packets dropped",
        BOTH,
        ANY,
        (Rose("softnet_dropped"),),
        "packets were dropped before TCP saw them, by whatever the machine does besides",
        "raise net.core.netdev_max_backlog ({net.core.netdev_max_backlog}), or pace the run with --rate",
        last_resort=True,
    ),
    Rule(
        "TCP memory",
        BOTH,
        ALWAYS,
        (Rose("TCPAbortOnMemory"),),
        "connections were aborted for want of TCP memory",
        "raise net.ipv4.tcp_mem ({net.ipv4.tcp_mem} pages) or net.ipv4.tcp_max_orphans ({net.ipv4.tcp_max_orphans})",
        also=(Rose("TCPMemoryPressures"),),
    ),
    Rule(
        "TCP memory",
        BOTH,
        ALWAYS,
        (Rose("TCPMemoryPressures"),),
        "TCP was short of memory",
        "raise net.ipv4.tcp_mem ({net.ipv4.tcp_mem} pages), or find out who leaves data unread",
    ),
    *(
        Rule(
            "SYN unanswered",
            WORKER,
            troubles,
            signs,
            "its SYNs get no answer: the target listens and its kernel has refused none of them, so that they are dropped on "
            "the way, without a word",
            "look for firewalls, security groups and full connection tables between them, and for a wrong route back",
            elsewhere=(AtLeast("listeners", 1, "{value} listening ports"),),
        )
        for troubles, signs in UNANSWERED
    ),
    *(
        Rule(
            "SYN unanswered",
            WORKER,
            troubles,
            signs,
            "its SYNs get no answer, and nobody tells what the server's kernel saw of them: they are dropped on the way, or "
            "its accept queue is full because the server is stopped or slow",
            "run c1m-target observe on the server's machine to tell these apart, and look for firewalls between them",
        )
        for troubles, signs in UNANSWERED
    ),
)

SETTING: Final = re.compile(r"\{([a-z0-9_.-]+)\}")

# Where runs of all kinds of programs stop, and why they usually do. They are told, and decide nothing.
TELLING: Final = {
    28_232: "is the size of the kernel's own ip_local_port_range, 32768-60999",
    64_512: "is what one source address has of unprivileged ports",
    262_144: "is the kernel's usual nf_conntrack_max",
    524_288: "is a usual limit of descriptors (LimitNOFILE=), and of connection tables",
    1_048_576: "is the kernel's own fs.nr_open, the most descriptors that a process may have",
}
TELLING_SHARE: Final = 0.001  # how near: people saw 262,094 and 524,273


@dataclass(frozen=True, slots=True)
class Cause:
    """Why, on which node, by what evidence, and what to do."""

    cause: str
    node: str
    says: str
    evidence: tuple[str, ...]
    cure: str

    @property
    def sentence(self) -> str:
        return f"{self.node}: {self.says} ({', '.join(self.evidence)}); {self.cure}"


def diagnose(scene: Sequence[Evidence], troubles: Collection[Trouble], *, last_resort: bool = False) -> list[Cause]:
    """The causes that the evidence of all nodes shows, in the order of the table; or those of last resort."""
    found: dict[tuple[str, str], tuple[Rule, Cause]] = {}  # by cause, and node or host
    for rule in RULES:
        if rule.last_resort is not last_resort or (rule.troubles and rule.troubles.isdisjoint(troubles)):
            continue
        for seen in scene:
            key = rule.cause, seen.host if rule.of_host else seen.node
            if seen.role in rule.on and key not in found and (cause := match(rule, seen, scene)):
                found[key] = rule, cause
    instead_of = {cause for rule, _ in found.values() for cause in rule.instead_of}
    return [cause for _, cause in found.values() if cause.cause not in instead_of]


def explained(causes: Iterable[str]) -> set[str]:
    """What these causes stand in for."""
    named = set(causes)
    return {cause for rule in RULES if rule.cause in named for cause in rule.instead_of}


def match(rule: Rule, seen: Evidence, scene: Sequence[Evidence]) -> Cause | None:
    shown = [sign.shows(seen) for sign in rule.signs]
    if not all(shown):
        return None
    there = [other for other in scene if other.role != seen.role]
    for sign in rule.elsewhere:
        told = [f"{other.node}: {text}" for other in there if (text := sign.shows(other))]
        if not told:
            return None
        shown += told
    more = [text for sign in rule.also if (text := sign.shows(seen))]
    return Cause(rule.cause, seen.node, stated(rule.says, seen.facts), (*shown, *more), stated(rule.cure, seen.facts))


def stated(text: str, facts: Mapping[str, str]) -> str:
    """With the host's own values in place of the names in braces."""
    return SETTING.sub(lambda found: facts.get(found[1], "unknown") or "none", text)


def ruled_out(scene: Sequence[Evidence]) -> tuple[list[str], list[str]]:
    """Causes that would have shown, and those that could not have been seen, in the order of the table."""
    seen: dict[str, bool] = {}
    for rule in RULES:
        known = [all(sign.known(each) for sign in rule.signs) for each in scene if each.role in rule.on]
        if known:
            seen[rule.cause] = seen.get(rule.cause, False) or all(known)
    return [cause for cause, known in seen.items() if known], [cause for cause, known in seen.items() if not known]


def telling(count: int) -> str:
    """What a count of connections reminds of; empty where it does not."""
    near = (f"{number:,} {says}" for number, says in TELLING.items() if abs(count - number) <= number * TELLING_SHARE)
    return next(near, "")
