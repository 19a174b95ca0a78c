"""How c1m starts another Python process: with its own interpreter, and without importing from the working directory."""

from __future__ import annotations

import sys


def module_command(module: str, *words: str) -> list[str]:
    """Return the command line that runs ``module`` as a program with ``words`` as its arguments.

    Plain ``python -m`` searches the working directory first. A ``random.py`` in a directory that others can write to would
    then run as the user who starts c1m there, often root. ``-P`` leaves that directory out. ``-I`` would also ignore
    PYTHONPATH, through which the parent itself may have been found.
    """
    return [sys.executable, "-P", "-m", module, *words]
