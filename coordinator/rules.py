"""What stops a run, as a table of rules in the order in which causes are told. Pure."""

from __future__ import annotations

from typing import Final

from .machine_rules import MACHINE_RULES
from .tcp_rules import TCP_RULES
from .way_rules import WAY_RULES

RULES: Final = (*MACHINE_RULES, *WAY_RULES, *TCP_RULES)
