"""Storms: many connections leave at one moment and come back within a short time, as after a deploy. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from c1m.units import parse_duration

FORMS: Final = "write at=60s,drop=100%,return=5s, or at=60s,drop=100%,by=target"
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


def parse_storm(text: str) -> Storm:
    """From "at=60s,drop=100%,return=5s". Raises ValueError."""
    words: dict[str, str] = {}
    for item in text.split(","):
        name, _, value = item.strip().partition("=")
        if name not in ("at", "drop", "return", "by") or name in words:
            raise ValueError(f"{text!r} has {'no' if name in words else 'an unknown'} place for {item.strip()!r}; {FORMS}")
        words[name] = value
    if "at" not in words:
        raise ValueError(f"{text!r} does not say when; {FORMS}")
    by = words.get("by", CLIENTS)
    if by not in (CLIENTS, TARGET):
        raise ValueError(f"{by!r} cannot make a storm; write by=clients or by=target")
    if by == TARGET and "return" in words:
        raise ValueError(f"{text!r}: after a storm by the target clients come back as --reopen lets them, without return=")
    return Storm(
        at=parse_duration(words["at"]),
        share=parse_share(words.get("drop", "100%")),
        return_seconds=parse_duration(words.get("return", "0s")),
        by=by,
    )


def parse_share(text: str) -> float:
    """Above 0, up to 1, from "35%" or "100%". Raises ValueError."""
    number = text.strip().removesuffix("%")
    if number == text.strip() or not number.replace(".", "", 1).isascii() or not number.replace(".", "", 1).isdigit():
        raise ValueError(f"{text!r} is no share; write a percentage, such as 100% or 12.5%")
    share = float(number) / 100
    if not 0 < share <= 1:
        raise ValueError(f"{text!r} is no share of something; write more than 0% and at most 100%")
    return share


def is_chosen(index: int, share: float) -> bool:
    """Whether number ``index`` (from 0) of a row is among a share of it, evenly chosen: of n, ``floor(n * share)`` are."""
    return math.floor((index + 1) * share) > math.floor(index * share)
