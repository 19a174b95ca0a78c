"""The directory for files that outlive a process: tuning records and the journals of runs."""

from __future__ import annotations

import os
from pathlib import Path


def state_directory() -> Path:
    """Return $XDG_STATE_HOME/c1m, or the default: /var/lib/c1m for root, ~/.local/state/c1m for others."""
    configured = Path(os.environ.get("XDG_STATE_HOME", ""))
    if configured.is_absolute():  # the XDG specification says to ignore a relative path
        return configured / "c1m"
    return Path("/var/lib/c1m") if os.geteuid() == 0 else Path.home() / ".local" / "state" / "c1m"
