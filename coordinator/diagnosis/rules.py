"""The table of all rules, in the order in which causes are shown. Pure."""

from __future__ import annotations

from typing import Final

from .rules_machine import MACHINE_RULES
from .rules_path import WAY_RULES
from .rules_tcp import TCP_RULES

RULES: Final = (*MACHINE_RULES, *WAY_RULES, *TCP_RULES)
