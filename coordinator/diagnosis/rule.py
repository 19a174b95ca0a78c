"""A rule of the table of causes: the evidence that gives a cause away, what it means, and what to do about it. Pure.

A cause is named where all of its ``signs`` show on one node, while the run is in a trouble that the cause can make. Where
two rules of one cause fit a node, the first one tells it. A cause that explains others (a stopped acceptor fills its accept
queue, and a full queue leaves SYNs unanswered) stands in for them: on its own node, and that of a target everywhere. What
is told always is no trouble of its own: a counter that stays still in a healthy run, of which a person should hear even
where everything was reached.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .conditions import Condition, Rose
from .progress import Trouble

WORKER: Final = ("worker",)
TARGET: Final = ("target",)
BOTH: Final = ("worker", "target")
ANY: Final = frozenset(Trouble)
GROWTH: Final = frozenset({Trouble.STALLED, Trouble.LATE})
FAILED: Final = frozenset({Trouble.FAILED})
ALWAYS: Final = frozenset[Trouble]()

# What follows from a server that does not accept, or does it too slowly.
UNACCEPTED: Final = ("accept queue", "SYN queue", "SYN cookies", "SYN unanswered", "server closes")


@dataclass(frozen=True, slots=True)
class Rule:
    """``says`` and ``cure`` may name facts of the host in braces, {net.core.somaxconn}; what is shown is their value.

    Where the cause is a limit of the table, ``limit`` names it: its cure is told, and where to read more.
    """

    cause: str
    on: tuple[str, ...]  # roles
    troubles: frozenset[Trouble]  # of which one must be there; none: told always
    signs: tuple[Condition, ...]  # all must show
    says: str
    cure: str = ""
    limit: str = ""
    also: tuple[Condition, ...] = ()  # told where they show
    elsewhere: tuple[Condition, ...] = ()  # must show on a node of the other role
    instead_of: tuple[str, ...] = ()
    last_resort: bool = False  # could explain anything, and is therefore looked at only when nothing else explains it

    @property
    def of_host(self) -> bool:
        """Whether all nodes of a host see it alike: then one of them tells it."""
        return all(isinstance(sign, Rose) for sign in self.signs)
