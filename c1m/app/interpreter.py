"""How c1m starts another Python: the one that runs it, which imports nothing from the working directory. Pure."""

from __future__ import annotations

import sys


def module_command(module: str, *words: str) -> list[str]:
    """The command line that runs a module as a program, with these words as its arguments.

    Plain ``python -m`` searches the working directory first, so that a ``random.py`` in a directory where others may write
    would run as whoever starts c1m there, often root. ``-P`` leaves that directory out. ``-I`` would also ignore PYTHONPATH,
    through which the parent itself may have been found.
    """
    return [sys.executable, "-P", "-m", module, *words]
