"""The pages of ``c1m-coord explain``: prose about one limit each, followed by its entry in the table of limits."""

from __future__ import annotations

import difflib
from importlib import resources

from c1m.errors import UsageError
from c1m.limits.limit import Limit
from c1m.limits.sysctls import SYSCTLS, path_of
from c1m.limits.table import BY_NAME, LIMITS

THEORY = "theory"
NAMES = (THEORY, *BY_NAME)


def contents() -> str:
    """Return the table of contents of all pages that ``c1m-coord explain`` shows, as Markdown."""
    rows = "\n".join(f"- **{limit.name}**: {limit.title}" for limit in LIMITS)
    return f"# What stops connections\n\n- **{THEORY}**: how many there can be, and why there are fewer\n{rows}\n"


def page(name: str) -> str:
    """Return the page called ``name`` that ``c1m-coord explain`` shows, as Markdown.

    Raises UsageError if there is no such page.
    """
    if name not in NAMES:
        close = difflib.get_close_matches(name, NAMES, 1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(NAMES)}"
        raise UsageError(f"there is no page {name!r}; {hint}")
    prose = resources.files(__package__).joinpath("pages", f"{name}.md").read_text(encoding="utf-8")
    return prose if name == THEORY else f"{prose}\n{facts(BY_NAME[name])}"


def facts(limit: Limit) -> str:
    """Return what the table of limits says of one limit (scope, source, errors, counters, cure), as a list in Markdown."""
    symptom = limit.symptom
    lines = [("scope", limit.scope.value), ("read from", where(limit)), ("errors", ", ".join(symptom.errnos))]
    lines += [("counters", ", ".join(symptom.counters)), ("symptom", symptom.pattern), ("cure", limit.cure)]
    return "\n".join(f"- *{name}*: {text}" for name, text in lines if text) + "\n"


def where(limit: Limit) -> str:
    """Return the file or system call from which the value of a limit is read, as text."""
    if limit.read in SYSCTLS:
        return f"{path_of(limit.read)} ({SYSCTLS[limit.read].value})"
    return READ.get(limit.read, "the plan")


READ = {
    "RLIMIT_NOFILE": "getrlimit(RLIMIT_NOFILE)",
    "RLIMIT_NPROC": "getrlimit(RLIMIT_NPROC)",
    "server_descriptors": "/proc/PID/limits of every process of the server, by c1m-target observe",
    "cgroup_pids": "pids.max of the node's cgroup and of those above it",
    "cgroup_memory_bytes": "memory.max or memory.limit_in_bytes of the node's cgroup and of those above it",
    "memory": "/proc/meminfo",
    "rp_filter": "/proc/sys/net/ipv4/conf/*/rp_filter (every network namespace has its own)",
}
