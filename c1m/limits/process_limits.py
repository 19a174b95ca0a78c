"""Limits of processes, threads, and what processes open. Pure."""

from __future__ import annotations

from typing import Final

from .limit import HostRole, Limit, Scope, Symptom, unasked
from .terms import (
    by,
    descriptors,
    descriptors_setting,
    each_end,
    exempt_from_file_max,
    exempt_from_nproc,
    fewest,
    level,
    one,
    own_descriptors,
    processes,
    reported,
    server_descriptors,
    sysctl,
    sysctls,
    thread_settings,
)

# Threads of gRPC and trio that nodes start for a run: 9 for a worker, a target and a coordinator in one cgroup.
THREADS: Final = 16

PROCESSES: Final = (
    Limit(
        "descriptors",
        "descriptors of a process (RLIMIT_NOFILE)",
        Scope.NODE,
        "RLIMIT_NOFILE",
        value=own_descriptors,
        need=descriptors,
        stops=True,
        planned=True,  # a plan uses each process up to its limit
        symptom=Symptom(("EMFILE",), pattern="growth ends at a round number, such as 1,024, 65,536 or 1,048,576"),
        cure="raise the hard limit of the program that starts the node; with a low limit c1m uses more descriptor tables",
        settings=descriptors_setting,
    ),
    Limit(
        "server-descriptors",
        "descriptors of all processes of the observed server (RLIMIT_NOFILE)",
        Scope.NODE,
        "server_descriptors",
        value=server_descriptors,
        need=by(HostRole.SERVER),  # does not stop: a run may be meant to find out what the server does beyond it
        symptom=Symptom(
            ("ETIMEDOUT", "ECONNRESET"), ("ListenOverflows",), "growth ends at a round number and the server logs EMFILE"
        ),
        cure="raise it in the server's configuration (worker_rlimit_nofile, maxclients) and LimitNOFILE= of its unit",
    ),
    Limit(
        "nr-open",
        "the highest value that RLIMIT_NOFILE can be raised to (fs.nr_open)",
        Scope.HOST,
        "fs.nr_open",
        value=sysctl("fs.nr_open"),
        need=unasked,
        symptom=Symptom(("EPERM",), pattern="a unit or a shell cannot raise its limit of descriptors"),
        cure="raise it, and then RLIMIT_NOFILE",
        settings=sysctls("fs.nr_open"),
    ),
    Limit(
        "open-files",
        "open files of the machine (fs.file-max)",
        Scope.HOST,
        "fs.file-max",
        value=sysctl("fs.file-max"),
        used=level("open_files"),
        need=each_end,
        stops=True,
        symptom=Symptom(("ENFILE",), pattern="every program of the host fails to open files"),
        cure="raise it; it costs nothing until files are opened",
        exempt=exempt_from_file_max,
        settings=sysctls("fs.file-max"),
    ),
    Limit(
        "epoll-watches",
        "descriptors that one user may watch by epoll (fs.epoll.max_user_watches)",
        Scope.HOST,
        "fs.epoll.max_user_watches",
        value=sysctl("fs.epoll.max_user_watches"),
        need=each_end,
        stops=True,
        symptom=Symptom(("ENOSPC",), pattern="connections are established and then abandoned"),
        cure="raise it",
        settings=sysctls("fs.epoll.max_user_watches"),
    ),
    Limit(
        "pids",
        "processes and threads of a cgroup (pids.max)",
        Scope.CGROUP,
        "cgroup_pids",
        value=reported("cgroup_pids"),
        used=level("cgroup_pids"),
        need=processes,
        stops=True,
        reserve=THREADS,
        symptom=Symptom(("EAGAIN",), pattern="a node cannot start its processes"),
        cure="raise TasksMax= of the unit or --pids-limit of the container, or the descriptor limit, to need fewer processes",
        settings=one("TasksMax"),
    ),
    Limit(
        "threads",
        "threads of the machine (kernel.threads-max, kernel.pid_max)",
        Scope.HOST,
        "kernel.threads-max",
        value=fewest(sysctl("kernel.threads-max"), sysctl("kernel.pid_max")),
        used=level("threads"),
        need=processes,
        stops=True,
        reserve=THREADS,
        symptom=Symptom(("EAGAIN",), pattern="no program of the host can start another"),
        cure="raise both, or the descriptor limit, to need fewer processes",
        settings=thread_settings,
    ),
    Limit(
        "user-processes",
        "processes and threads of a user (RLIMIT_NPROC)",
        Scope.HOST,
        "RLIMIT_NPROC",
        value=reported("RLIMIT_NPROC"),
        need=processes,
        stops=True,
        symptom=Symptom(("EAGAIN",), pattern="this user cannot start a process while other users can"),
        cure="raise it, or the descriptor limit, to need fewer processes",
        unless=exempt_from_nproc,
        settings=one("RLIMIT_NPROC"),
    ),
)
