"""What stops a run, as a table: the evidence that gives each cause away, what it means, and what to do about it. Pure.

A cause is named where all of its ``signs`` show on one node, while the run is in a trouble that the cause can make. Where
two rules of one cause fit a node, the first one tells it. A cause that explains others (a stopped acceptor fills its accept
queue, and a full queue leaves SYNs unanswered) stands in for them: on its own node, and that of a target everywhere. What
is told always is no trouble of its own: a counter that stays still in a healthy run, of which a person should hear even
where everything was reached.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .signs import AtLeast, Dropped, Error, Full, Lost, Overflowing, Rose, Sign, Silent, Told
from .stall import PATIENCE_SECONDS, Trouble

WORKER: Final = ("worker",)
TARGET: Final = ("target",)
BOTH: Final = ("worker", "target")
ANY: Final = frozenset(Trouble)
GROWTH: Final = frozenset({Trouble.STALLED, Trouble.LATE})
FAILED: Final = frozenset({Trouble.FAILED})
ALWAYS: Final = frozenset[Trouble]()

# What follows from a server that does not accept, or does it too slowly.
UNACCEPTED: Final = ("accept queue", "SYN queue", "SYN cookies", "SYN unanswered", "server closes")
# A connection that the server never knew is reset as soon as it says something.
GHOSTLY: Final = ("SYN unanswered", "server closes")
FULLEST: Final = Full("descriptors", "descriptors_limit", "{value} of {limit} in the fullest process", percent=99)
UNANSWERED: Final = (
    (GROWTH, (Rose("TCPSynRetrans"), AtLeast("in_flight", 1, "{value} in flight"))),
    (FAILED, (Error("handshake ETIMEDOUT"),)),
)


@dataclass(frozen=True, slots=True)
class Rule:
    """``says`` and ``cure`` may name facts of the host in braces, {net.core.somaxconn}; what is shown is their value.

    Where the cause is a limit of the table, ``limit`` names it: its cure is told, and where to read more.
    """

    cause: str
    on: tuple[str, ...]  # roles
    troubles: frozenset[Trouble]  # of which one must be there; none: told always
    signs: tuple[Sign, ...]  # all must show
    says: str
    cure: str = ""
    limit: str = ""
    also: tuple[Sign, ...] = ()  # told where they show
    elsewhere: tuple[Sign, ...] = ()  # must show on a node of the other role
    instead_of: tuple[str, ...] = ()
    last_resort: bool = False  # could explain anything, and is therefore looked at only when nothing else explains it

    @property
    def of_host(self) -> bool:
        """Whether all nodes of a host see it alike: then one of them tells it."""
        return all(isinstance(sign, Rose) for sign in self.signs)


RULES: Final = (
    *(
        Rule(
            "node silent",
            BOTH,
            ANY,
            (sign,),
            says,
            "look whether the machine answers, what state the program is in there (ps -o stat; T: kill -CONT), and whether the "
            "kernel killed it (dmesg)",
            instead_of=("refused", *UNACCEPTED),
        )
        for sign, says in (
            (Lost(), "it has stopped answering: its program is stopped or has ended, or its machine hangs or is cut off"),
            (
                Silent(PATIENCE_SECONDS),
                "it said nothing for a while: its program was stopped, its machine hung or had no CPU, or it was cut off",
            ),
        )
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
        limit="cgroup-memory",
        also=(Told("SIGKILL"), Rose("cgroup_memory_hits")),
        instead_of=("memory", "refused", *UNACCEPTED),
    ),
    Rule("memory", BOTH, ANY, (Told("of memory left"),), "it was about to run out of memory", limit="memory"),
    Rule(
        "memory",
        BOTH,
        ANY,
        (Error("socket ENOMEM", "socket ENOBUFS", "accept ENOMEM", "accept ENOBUFS"),),
        "the kernel had no memory for another socket",
        limit="memory",
        also=(Rose("cgroup_memory_hits"),),
        instead_of=UNACCEPTED,
    ),
    Rule(
        "process descriptors",
        BOTH,
        ANY,
        (Error("socket EMFILE", "accept EMFILE"),),
        "a process of it has no descriptor left for another connection",
        limit="descriptors",
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
        limit="descriptors",
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
        limit="open-files",
        instead_of=UNACCEPTED,
    ),
    Rule(
        "source address not local",
        WORKER,
        ALWAYS,
        (Error("bind EADDRNOTAVAIL"),),
        "source addresses of the run are not this machine's",
        limit="sources",
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
        limit="tuples",
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
        limit="ports",
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
        limit="conntrack",
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
        limit="rp-filter",
        instead_of=("SYN unanswered",),
    ),
    Rule(
        "SYN queue",
        TARGET,
        ALWAYS,
        (Rose("TCPReqQFullDrop"),),
        "SYNs found the SYN queue full and were dropped",
        limit="syn-queue",
        instead_of=("SYN unanswered",),
    ),
    Rule(
        "accept queue",
        TARGET,
        ALWAYS,
        (Rose("ListenOverflows"),),
        "accept queues were full, and each time a connection waited for its next SYN or became a ghost",
        limit="accept-queue",
        also=(Overflowing(),),
        instead_of=GHOSTLY,
    ),
    Rule(
        "accept queue",
        TARGET,
        ANY,
        (Overflowing(),),
        "an accept queue is full: connections wait to be accepted",
        limit="accept-queue",
        instead_of=GHOSTLY,
    ),
    Rule(
        "SYN cookies",
        TARGET,
        ALWAYS,
        (Rose("TCPReqQFullDoCookies"),),
        "handshakes found the SYN queue full and were answered with cookies, which are how ghosts are made",
        limit="accept-queue",
        instead_of=GHOSTLY,
        also=(Rose("SyncookiesSent"),),
    ),
    Rule(
        "SYN cookies",
        TARGET,
        ALWAYS,
        (Rose("SyncookiesSent"),),
        "handshakes were answered with SYN cookies",
        "set net.ipv4.tcp_syncookies ({net.ipv4.tcp_syncookies}) to 1 if it is 2, which sends them always",
        limit="accept-queue",
        instead_of=GHOSTLY,
    ),
    Rule(
        "TCP memory",
        BOTH,
        ALWAYS,
        (Rose("TCPAbortOnMemory"),),
        "connections were aborted for want of TCP memory",
        limit="tcp-mem",
        also=(Rose("TCPMemoryPressures"),),
    ),
    Rule(
        "TCP memory",
        BOTH,
        ALWAYS,
        (Rose("TCPMemoryPressures"),),
        "TCP was short of memory",
        limit="tcp-mem",
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
    Rule(
        "packets dropped",
        BOTH,
        ANY,
        (Rose("softnet_dropped"),),
        "packets were dropped before TCP saw them, by whatever the machine does besides",
        limit="netdev-backlog",
        last_resort=True,
    ),
)
