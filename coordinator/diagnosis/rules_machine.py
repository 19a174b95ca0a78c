"""Rules about programs and their machine: silence, stops, memory, descriptors, CPU. Pure."""

from __future__ import annotations

import signal
from typing import Final

from c1m.coordinator.ledger.cpu_saturation import ALL_OF_A_CPU_PERCENT, WAITING_PERCENT
from c1m.coordinator.ledger.loss_reason import LossKind
from c1m.measure.reasons import ChildKind, HaltKind

from .conditions import AtLeast, Ended, Error, Full, Halted, Lost, Overflowing, Rose, Silent
from .progress import PATIENCE_SECONDS
from .rule import ANY, BOTH, GROWTH, TARGET, UNACCEPTED, Rule

FULLEST: Final = Full("descriptors", "descriptors_limit", "{value} of {limit} in the fullest process", percent=99)

MACHINE_RULES: Final = (
    Rule(
        "node silent",
        BOTH,
        ANY,
        (Lost(LossKind.LEFT),),
        "it closed its connections itself, and sends no more samples",
        "keep the coordinator running: if it is stopped (^Z, kill -STOP) for longer than --lease, nodes take it for dead; a "
        "node's log names who told it to leave",
        instead_of=("refused", *UNACCEPTED),
    ),
    *(
        Rule(
            "node silent",
            BOTH,
            ANY,
            (sign,),
            says,
            "check whether the machine answers, the state of the program there (ps -o stat; T: kill -CONT), and whether the "
            "kernel killed it (dmesg)",
            instead_of=("refused", *UNACCEPTED),
        )
        for sign, says in (
            (Lost(), "it has stopped answering: its program is stopped or has ended, or its machine hangs or is cut off"),
            (
                Silent(PATIENCE_SECONDS),
                "it sent nothing for a while: its program was stopped, its machine hung or had no CPU, or it was cut off",
            ),
        )
    ),
    Rule(
        "process stopped",
        BOTH,
        ANY,
        (AtLeast("processes_stopped", 1, "{value} in state T"),),
        "processes of it are stopped by a signal or a debugger",
        "resume them with kill -CONT",
        also=(Overflowing(), Rose("ListenOverflows")),
        instead_of=UNACCEPTED,
    ),
    Rule(
        "killed for memory",
        BOTH,
        ANY,
        (Rose("cgroup_oom_kills"),),
        "the kernel killed processes of its cgroup because the cgroup was out of memory",
        limit="cgroup-memory",
        also=(Ended(by_signal=signal.SIGKILL), Rose("cgroup_memory_hits")),
        instead_of=("memory", "acceptor ended", "refused", *UNACCEPTED),
    ),
    Rule(
        "acceptor ended",
        TARGET,
        ANY,
        (Ended(ChildKind.ACCEPTOR),),
        "acceptor processes of it ended, and the kernel closed the connections that they held",
        "find out what ended them: a kill, the kernel (dmesg), or a defect of c1m, which the exit reason names",
        instead_of=("refused", *UNACCEPTED),
    ),
    Rule("memory", BOTH, ANY, (Halted(HaltKind.MEMORY),), "it was about to run out of memory", limit="memory"),
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
        "raise ulimit -Hn there, or find out who else connects to its ports",
        instead_of=UNACCEPTED,
    ),
    Rule(
        "files of the machine",
        BOTH,
        ANY,
        (Error("socket ENFILE", "accept ENFILE"),),
        "the machine has reached its limit of open files",
        limit="open-files",
        instead_of=UNACCEPTED,
    ),
    Rule(
        "CPU quota",
        BOTH,
        GROWTH,
        (Rose("cgroup_cpu_throttled"), AtLeast("longest_cpu_wait_percent", 30, "a process waits {value} % of the time")),
        "its cgroup repeatedly used up its CPU quota, and its processes had to wait",
        "raise the cgroup's quota (CPUQuota= in the unit, docker --cpus), or pace the run with a lower --rate",
        instead_of=("CPU", *UNACCEPTED),
    ),
    Rule(
        "CPU",
        BOTH,
        GROWTH,
        (AtLeast("longest_cpu_wait_percent", WAITING_PERCENT, "a process waits for a CPU {value} % of the time"),),
        "its processes are ready to run but get no CPU",
        "check what else runs there (top) and on which CPUs its processes may run (taskset -p), add workers, or lower --rate",
        also=(AtLeast("busiest_cpu_percent", 1, "and runs {value} % of it"),),
        instead_of=UNACCEPTED,
    ),
    Rule(
        "CPU",
        BOTH,
        GROWTH,
        (AtLeast("busiest_cpu_percent", ALL_OF_A_CPU_PERCENT, "its busiest process uses {value} % of a CPU"),),
        "a process of it uses all of a CPU and needs more",
        "add workers or cores, or lower --rate",
        instead_of=UNACCEPTED,
    ),
)
