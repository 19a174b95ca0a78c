"""What goes wrong in a way that a person must act on: one sentence each, with the exit code that goes with it."""

from __future__ import annotations


class C1mError(Exception):
    """The message is a sentence with the value, the limit, the machine and the cure."""

    exit_code = 1


class UsageError(C1mError):
    """What was asked for makes no sense, whatever the machines can do."""

    exit_code = 2


class RefusedError(C1mError):
    """It makes sense but cannot fit; nothing was opened. ``more``: what else is in the way."""

    exit_code = 3

    def __init__(self, reason: str, *more: str) -> None:
        super().__init__(reason)
        self.reasons = (reason, *more)


class UnreachableError(C1mError):
    """A node did not answer, or was lost."""

    exit_code = 4


class BrokenError(UnreachableError):
    """There is no connection to it, or no longer one: the node itself may be well."""


class GoneError(UnreachableError):
    """Nobody listens where the node did: its machine says so."""


class AbandonedError(C1mError):
    """The operator did not want it any more, before there was anything to tell a summary of."""

    exit_code = 130
