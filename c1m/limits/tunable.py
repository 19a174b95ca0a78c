"""Which settings of the table a node may write for an operator. A node never lowers a setting. Pure."""

from __future__ import annotations

import re
from typing import Final

from c1m.measure.sample import Host

from .sysctls import SYSCTLS, SysctlScope
from .table import LIMITS

PORT_RANGE: Final = "net.ipv4.ip_local_port_range"
# Policies rather than amounts. Someone chose them for a reason that c1m does not know, so c1m reports them only.
DECISIONS: Final = frozenset({"net.ipv4.conf.all.rp_filter", "net.ipv4.ip_local_reserved_ports"})
_NOWHERE: Final = Host(0, "", "", "", "", 0, None, None, 0, 0, 0, {"fs.nr_open": "0"})

TUNABLE: Final = frozenset(
    name
    for limit in LIMITS
    for name in limit.settings(1, _NOWHERE)
    if name not in DECISIONS and SYSCTLS.get(name, SysctlScope.BOOT) is not SysctlScope.BOOT
)


def raised(name: str, now: str, wanted: str) -> str:
    """Return the text to write to a sysctl so that no number in it gets smaller than now; a range of ports grows on both sides.

    Raises ValueError if either text does not consist of the sysctl's numbers.
    """
    old, new = figures(now), figures(wanted)
    if len(old) != len(new):
        raise ValueError(f"{wanted!r} does not have as many figures as {name} has now ({now})")
    if name == PORT_RANGE:
        return f"{min(old[0], new[0])} {max(old[1], new[1])}"
    return " ".join(str(max(pair)) for pair in zip(old, new, strict=True))


def figures(text: str) -> list[int]:
    """Return the one to three numbers in the text of a sysctl. Raises ValueError for other text."""
    if not re.fullmatch(r"[0-9]{1,19}( [0-9]{1,19}){0,2}", text):
        raise ValueError(f"{text!r} is not one to three whole numbers separated by single blanks")
    return [int(word) for word in text.split()]
