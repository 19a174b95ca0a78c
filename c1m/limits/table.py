"""The table of limits: where each is read, what a run needs of it, its symptom, and what lifts it. Pure.

Each limit has a page for people, ``c1m-coord explain NAME``. Numbers were measured on Linux 6.18 with the kernel's
defaults.
"""

from __future__ import annotations

from typing import Final

from .ceilings import CEILINGS
from .memory_limits import MEMORY
from .process_limits import PROCESSES
from .queue_limits import QUEUES
from .tuple_limits import TUPLES

LIMITS: Final = (*PROCESSES, *TUPLES, *QUEUES, *MEMORY, *CEILINGS)
BY_NAME: Final = {limit.name: limit for limit in LIMITS}
