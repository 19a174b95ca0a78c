"""The first record of a journal, and the last: whose run it is, and what came of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Header:
    """``at`` and ``at_monotonic`` are one moment: all others are known by the monotonic clock."""

    run_id: str
    c1m: str  # the version that wrote it
    started_at: datetime
    at: datetime
    at_monotonic: float
    seed: int
    settings: Mapping[str, Any]  # as a person writes them
    words: tuple[str, ...]  # the same, after "c1m-coord run"


@dataclass(frozen=True, slots=True)
class Judged:
    verdict: str
    exit_code: int
