"""Where a user's programs keep what must outlive them: records of what was tuned, journals of runs."""

from __future__ import annotations

import os
from pathlib import Path


def state_directory() -> Path:
    told = Path(os.environ.get("XDG_STATE_HOME", ""))
    if told.is_absolute():  # its specification has any other ignored
        return told / "c1m"
    return Path("/var/lib/c1m") if os.geteuid() == 0 else Path.home() / ".local" / "state" / "c1m"
