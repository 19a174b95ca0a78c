"""Storms: many connections close at one moment and come back within a short time, as after a deployment. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor

CLIENTS, TARGET = "clients", "target"


@dataclass(frozen=True, slots=True)
class Storm:
    """The settings of one storm, in which many connections close at one moment.

    ``by`` is the side that closes. Clients that closed reconnect evenly within ``return_seconds``. After a target closed,
    clients reconnect as --reopen says.
    """

    at: float  # seconds from the start of the run
    share: float = 1.0  # of the connections that are open at that time
    return_seconds: float = 0.0
    by: str = CLIENTS

    def __str__(self) -> str:
        back = f",return={self.return_seconds:.12g}s" if self.by == CLIENTS else ",by=target"
        return f"at={self.at:.12g}s,drop={self.share * 100:.12g}%{back}"


def is_chosen(index: int, share: float) -> bool:
    """Return whether item ``index`` (from 0) of a sequence is one of a share of evenly spread items.

    Of the first n items, ``floor(n * share)`` are.
    """
    return floor((index + 1) * share) > floor(index * share)
