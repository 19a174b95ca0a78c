"""The table of limits: where each is read, what a run needs of it, how one meets it, and what lifts it. Pure.

Each has a page for people, ``c1m-coord explain NAME``. Numbers were measured on Linux 6.18, with the kernel's defaults.
"""

from __future__ import annotations

from typing import Final

from .ceilings import CEILINGS
from .memory import MEMORY
from .processes import PROCESSES
from .queues import QUEUES
from .tuples import TUPLES

LIMITS: Final = (*PROCESSES, *TUPLES, *QUEUES, *MEMORY, *CEILINGS)
BY_NAME: Final = {limit.name: limit for limit in LIMITS}
