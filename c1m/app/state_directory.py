"""The directory for files that outlive a process: tuning records and the journals of runs."""

from __future__ import annotations

import os
from pathlib import Path

from c1m.errors import UsageError


def state_directory() -> Path:
    """Return $XDG_STATE_HOME/c1m, or the default: /var/lib/c1m for root, ~/.local/state/c1m for others.

    Raises UsageError for a user without a home directory.
    """
    configured = Path(os.environ.get("XDG_STATE_HOME", ""))
    if configured.is_absolute():  # the XDG specification says to ignore a relative path
        return configured / "c1m"
    if os.geteuid() == 0:
        return Path("/var/lib/c1m")
    try:
        return Path.home() / ".local" / "state" / "c1m"
    except RuntimeError:  # as in a container that runs as a number
        raise UsageError(
            f"uid {os.getuid()} has no home directory: HOME is not set, and the user is not in /etc/passwd; set XDG_STATE_HOME"
        ) from None
