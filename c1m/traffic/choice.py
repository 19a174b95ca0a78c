"""Choosing a share of a row, evenly. Pure, and little: acceptors carry it."""

from __future__ import annotations

from math import floor


def is_chosen(index: int, share: float) -> bool:
    """Whether number ``index`` (from 0) of a row is among a share of it: of the first n, ``floor(n * share)`` are."""
    return floor((index + 1) * share) > floor(index * share)
