"""What of the table a node may write for others: which sysctls, and never to less than they are. Pure."""

from __future__ import annotations

import re
from typing import Final

from c1m.measure.sample import Host

from .sysctls import SYSCTLS, SysctlScope
from .table import LIMITS

PORT_RANGE: Final = "net.ipv4.ip_local_port_range"
# No amounts, but what somebody decided for a reason that c1m does not know: told, and left to people.
DECISIONS: Final = frozenset({"net.ipv4.conf.all.rp_filter", "net.ipv4.ip_local_reserved_ports"})
_NOWHERE: Final = Host(0, "", "", "", "", 0, None, None, 0, 0, 0, {"fs.nr_open": "0"})

TUNABLE: Final = frozenset(
    name
    for limit in LIMITS
    for name in limit.settings(1, _NOWHERE)
    if name not in DECISIONS and SYSCTLS.get(name, SysctlScope.BOOT) is not SysctlScope.BOOT
)


def raised(name: str, now: str, wanted: str) -> str:
    """What to write so that nothing of a sysctl gets less than it is: figure by figure, and a range of ports on both sides.

    Raises ValueError where either is not the sysctl's figures.
    """
    old, new = figures(now), figures(wanted)
    if len(old) != len(new):
        raise ValueError(f"{name} is {len(old)} figures ({now}), and {wanted!r} is {len(new)}")
    if name == PORT_RANGE:
        return f"{min(old[0], new[0])} {max(old[1], new[1])}"
    return " ".join(str(max(pair)) for pair in zip(old, new, strict=True))


def figures(text: str) -> list[int]:
    """Raises ValueError."""
    if not re.fullmatch(r"[0-9]{1,19}( [0-9]{1,19}){0,2}", text):
        raise ValueError(f"{text!r} is not one to three whole numbers with a blank between")
    return [int(word) for word in text.split()]
