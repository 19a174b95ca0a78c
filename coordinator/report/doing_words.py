"""The words that a person sees for what a run is doing. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from c1m.coordinator.ledger.doing import Doing

WORDS: Final[Mapping[Doing, str]] = {
    Doing.OPENING: "opening",
    Doing.FOLLOWING: "following",
    Doing.HOLDING: "holding",
    Doing.COMPARING: "comparing",
    Doing.WAKING: "waking",
    Doing.CALMING: "calming",
    Doing.QUIETENING: "quietening",
    Doing.CLOSING: "closing",
}
