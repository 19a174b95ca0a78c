"""Root is told what it lacks, and not that it needs root."""

from __future__ import annotations

import pytest

from c1m.kernel.limits import CAP_SYS_PTRACE, effective, why_root_is_denied

WHOLE = "         0          0 4294967295\n"
PART = "         0     100000      65536\n"
ALL = "CapEff:\t000001ffffffffff\n"
NONE = "CapEff:\t0000000000000000\n"


@pytest.mark.parametrize(
    ("uid_map", "status", "lacks"),
    [
        (PART, ALL, "root of a user namespace"),
        (WHOLE, NONE, "needs CAP_SYS_PTRACE, which root has lost here"),
        (WHOLE, ALL, "forbidden here even to root"),
    ],
)
def test_root_lacks_the_host_a_capability_or_a_permission(uid_map: str, status: str, lacks: str) -> None:
    assert lacks in why_root_is_denied(CAP_SYS_PTRACE, uid_map, status)


def test_capabilities_are_bits() -> None:
    assert effective("CapPrm:\t0\nCapEff:\t0000000000000002\n") == 1 << 1
    assert effective("") == 0
