"""Errors that a person must act on. Each has a message of one sentence and a process exit code."""

from __future__ import annotations


class C1mError(Exception):
    """Base class. The message is a sentence with the value, the limit, the machine and the cure."""

    exit_code = 1


class UsageError(C1mError):
    """The request is invalid on any machine."""

    exit_code = 2


class RefusedError(C1mError):
    """The request is valid, but does not fit these machines. Nothing was opened.

    ``reasons`` is the first reason, which is also the message, followed by all other reasons.
    """

    exit_code = 3

    def __init__(self, reason: str, *more: str) -> None:
        super().__init__(reason)
        self.reasons = (reason, *more)


class UnreachableError(C1mError):
    """A node did not answer, or the connection to it was lost."""

    exit_code = 4


class BrokenError(UnreachableError):
    """The connection to a node failed or ended. The node itself may still be running."""


class GoneError(UnreachableError):
    """Nothing listens at the node's address any more: its machine refused the connection."""


class AbandonedError(C1mError):
    """The operator interrupted the run before it had produced anything to summarise."""

    exit_code = 130
