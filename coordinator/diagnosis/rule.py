"""A rule of the table of causes: the evidence that shows a cause, what it means, and what to do about it. Pure.

A cause is named if all of its ``signs`` show on one node while the run is in a trouble that the cause can make. If two rules
of one cause fit a node, the first one is used. A cause that explains others (a stopped acceptor fills its accept queue, and a
full queue leaves SYNs unanswered) replaces them: on its own node, and if it is on the target, on all nodes. Some rules need
no trouble: they watch a counter that stays still in a healthy run, and are reported even if everything was reached.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from c1m.coordinator.ledger.doing import Role

from .conditions import Condition, Rose
from .progress import Trouble

WORKER: Final = (Role.WORKER,)
TARGET: Final = (Role.TARGET,)
BOTH: Final = (Role.WORKER, Role.TARGET)
ANY: Final = frozenset(Trouble)
GROWTH: Final = frozenset({Trouble.STALLED, Trouble.LATE})
FAILED: Final = frozenset({Trouble.FAILED})
ALWAYS: Final = frozenset[Trouble]()

# Causes that follow from a server that does not accept, or accepts too slowly.
UNACCEPTED: Final = ("accept queue", "SYN queue", "SYN cookies", "SYN unanswered", "server closes")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the table of causes: the evidence that shows a cause, its explanation and its cure.

    ``says`` and ``cure`` may name sysctls of the host in braces, as in {net.core.somaxconn}; their values are shown. ``limit``
    names the limit of c1m.limits that the cause is, if any: its cure is shown, and its page of c1m-coord explain.
    """

    cause: str
    on: tuple[Role, ...]
    troubles: frozenset[Trouble]  # one of which must be present; empty: none is needed
    signs: tuple[Condition, ...]  # all must show on the node
    says: str
    cure: str = ""
    limit: str = ""
    also: tuple[Condition, ...] = ()  # shown as evidence if they show
    elsewhere: tuple[Condition, ...] = ()  # must show on a node of the other role
    instead_of: tuple[str, ...] = ()  # causes that this one replaces
    last_resort: bool = False  # could explain anything, and is used only if no other rule fits

    @property
    def of_host(self) -> bool:
        """True if all nodes of a host show the cause of the rule alike, so that it is reported for only one of them."""
        return all(isinstance(sign, Rose) for sign in self.signs)
