"""A network namespace for what is measured: without others' sockets, and without the TIME_WAIT of the run before.

By unshare(1): Python has os.unshare from 3.12 on.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence

MADE = ("unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")

# Set for the process that a namespace was made for, or it would make another.
INSIDE = "C1M_BENCH_NAMESPACE"


def inside_namespace(command: Sequence[str]) -> list[str]:
    """The command in a namespace of its own; as it is, for whoever is not root, or has neither unshare nor ip."""
    return [*MADE, *command] if can_make() else list(command)


def enter_namespace() -> None:
    """Become the same command in a namespace of its own; root can, others stay, and are told."""
    if os.environ.get(INSIDE):
        return
    if not can_make():
        print("not root, or without unshare and ip: this runs beside the machine's other sockets", file=sys.stderr)
        return
    os.execvpe(MADE[0], inside_namespace([sys.executable, *sys.argv]), os.environ | {INSIDE: "1"})


def can_make() -> bool:
    return not os.geteuid() and bool(shutil.which("unshare") and shutil.which("ip"))
