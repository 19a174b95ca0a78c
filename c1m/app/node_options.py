"""The options that c1m-worker and c1m-target have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from .frame import in_panel

CONTROL = "Control"

Listen = Annotated[
    str,
    in_panel(
        CONTROL,
        "Control address: HOST:PORT, or unix:/PATH for this user and root only. Port 0 takes a free port, which is printed.",
    ),
]
Tls = Annotated[
    Path | None,
    in_panel(
        CONTROL,
        "Directory with this node's certificate (c1m-coord pki issue node). Only operators of the same authority get access. "
        "Default: no TLS.",
    ),
]
Insecure = Annotated[
    bool,
    in_panel(
        CONTROL,
        "Allow --listen without TLS on an address that other hosts can reach. No effect on loopback and Unix sockets.",
        "--insecure",
    ),
]
AllowTune = Annotated[
    bool,
    in_panel(CONTROL, "Allow c1m-coord tune --apply and --undo to change this host's limits. Needs root.", "--allow-tune"),
]
WithParent = Annotated[
    bool, in_panel(CONTROL, "Exit when stdin is closed, so that a supervisor's death ends this node.", "--with-parent")
]
