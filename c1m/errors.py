"""Errors that a person must act on. Each has a message of one sentence and a process exit code."""

from __future__ import annotations


class C1mError(Exception):
    """Base class of all errors that a user of c1m can cause or cure.

    The message is one sentence with the value, the limit, the machine and the cure; ``exit_code`` is the program's exit code.
    """

    exit_code = 1


class UsageError(C1mError):
    """The error for a request that is invalid on any machine, such as a wrong option. The exit code is 2."""

    exit_code = 2


class RefusedError(C1mError):
    """The error for a request that is valid, but does not fit these machines; nothing was opened.

    ``reasons`` contains all reasons. The first one is also the message.
    """

    exit_code = 3

    def __init__(self, reason: str, *more: str) -> None:
        super().__init__(reason)
        self.reasons = (reason, *more)


class UnreachableError(C1mError):
    """The error raised if a node did not answer a call, or the connection to it was lost."""

    exit_code = 4


class BrokenError(UnreachableError):
    """The error raised if the connection to a node failed or ended. The node itself may still be running."""


class GoneError(UnreachableError):
    """The error raised if nothing listens at a node's address any more: its machine refused the connection."""


class AbandonedError(C1mError):
    """The error raised if the operator interrupted a run before there was anything to summarise."""

    exit_code = 130
