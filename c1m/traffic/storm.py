"""Storms: many connections leave at one moment and come back within a short time, as after a deploy. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor

CLIENTS, TARGET = "clients", "target"


@dataclass(frozen=True, slots=True)
class Storm:
    """``by`` says who closes. Clients come back within ``return_seconds``, evenly; after a target, as --reopen lets them."""

    at: float  # seconds from the start of the run
    share: float = 1.0  # of the connections that are open then
    return_seconds: float = 0.0
    by: str = CLIENTS

    def __str__(self) -> str:
        back = f",return={self.return_seconds:.12g}s" if self.by == CLIENTS else ",by=target"
        return f"at={self.at:.12g}s,drop={self.share * 100:.12g}%{back}"


def is_chosen(index: int, share: float) -> bool:
    """Whether number ``index`` (from 0) of a row is among a share of it: of the first n, ``floor(n * share)`` are."""
    return floor((index + 1) * share) > floor(index * share)
