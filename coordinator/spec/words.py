"""Values of settings as words of the command line. Pure."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

from c1m.measure.phase import Close, CloseOrder
from c1m.schedule.schedule import Arrival


class OnLoss(enum.Enum):
    """What a run does when a worker is lost."""

    REDISTRIBUTE = "redistribute"
    CONTINUE = "continue"
    ABORT = "abort"


WORDS: Mapping[str, enum.Enum] = {
    "rst": Close.RESET,
    "fin": Close.FIN,
    "oldest": CloseOrder.OLDEST,
    "random": CloseOrder.RANDOM,
    "constant": Arrival.CONSTANT,
    "poisson": Arrival.POISSON,
    **{each.value: each for each in OnLoss},
}


def word_of(value: Any) -> str:
    """Return a value as it is written on the command line."""
    return next((word for word, one in WORDS.items() if one is value), str(value))


def option_of(setting: str) -> str:
    """Return the option of a setting."""
    return "--" + setting.replace("_", "-")
