"""What a machine is: from captures of several kinds of machines, and of this one."""

from __future__ import annotations

import os
import platform
import resource

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c1m.kernel.machine import hypervisor, limits, processor, read_machine, steal

X86_GUEST = """\
processor	: 0
vendor_id	: AuthenticAMD
cpu family	: 25
model		: 17
model name	: AMD EPYC
stepping	: 1
flags		: fpu vme de pse rdrand hypervisor lahf_lm cmp_legacy
bugs		: sysret_ss_attrs null_seg
power management:

processor	: 1
vendor_id	: AuthenticAMD
model name	: AMD EPYC
flags		: fpu vme de pse rdrand hypervisor lahf_lm cmp_legacy
"""

# From 5.6 on with a second line of flags. KVM runs on it, not under it.
X86_BARE_METAL = """\
processor	: 0
vendor_id	: GenuineIntel
model		: 85
model name	: Intel(R) Xeon(R) Gold 6130 CPU @ 2.10GHz
flags		: fpu vme de pse tsc msr vmx smx est tm2
vmx flags	: vnmi preemption_timer posted_intr hypervisor
"""

ARM64 = """\
processor	: 0
BogoMIPS	: 243.75
Features	: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp ssbs
CPU implementer	: 0x41
CPU architecture: 8
CPU variant	: 0x3
CPU part	: 0xd0c
CPU revision	: 1
"""

ARM32 = "processor\t: 0\nmodel name\t: ARMv7 Processor rev 3 (v7l)\nFeatures\t: half thumb fastmult vfp edsp\n"


@pytest.mark.parametrize(
    ("cpuinfo", "name", "reason"),
    [
        (X86_GUEST, "AMD EPYC", "the first processor speaks for all"),
        (X86_BARE_METAL, "Intel(R) Xeon(R) Gold 6130 CPU @ 2.10GHz", "with blanks, signs and a clock"),
        (ARM32, "ARMv7 Processor rev 3 (v7l)", "32-bit ARM writes one"),
        (ARM64, "", "arm64 does not"),
        ("", "", "no cpuinfo"),
        ("vendor_id\t: model name\t: x\n", "", "the words in another line"),
        ("model name\t: \nstepping\t: 1\n", "", "an empty name, and not the line below"),
    ],
)
def test_the_model_of_a_processor(cpuinfo: str, name: str, reason: str) -> None:
    assert processor(cpuinfo) == name, reason


@pytest.mark.parametrize(
    ("cpuinfo", "vendor", "name", "reason"),
    [
        (X86_GUEST, "Amazon EC2\n", "Amazon EC2", "a guest, and its firmware tells whose"),
        (X86_GUEST, "", "unnamed", "a guest without firmware: Firecracker"),
        (X86_BARE_METAL, "Dell Inc.\n", "none", "bare metal is made by somebody, too"),
        (ARM64, "Amazon EC2\n", "", "an ARM guest is not told that it is one: unknown, not none"),
        ("flags\t\t: fpu hypervisor_x xhypervisor\n", "QEMU\n", "none", "flags that only look alike"),
        ("flags\t\t:\n", "QEMU\n", "none", "no flags at all"),
        ("", "QEMU\n", "", "no cpuinfo"),
    ],
)
def test_the_hypervisor(cpuinfo: str, vendor: str, name: str, reason: str) -> None:
    assert hypervisor(cpuinfo, vendor) == name, reason


@pytest.mark.parametrize(
    ("stat", "percent", "reason"),
    [
        ("cpu  156737 0 176015 572078 529 0 41606 11530 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n", "1.20", "6.18, a guest"),
        ("cpu  600 0 200 100 0 0 0 100 500 0\n", "10.00", "time of its own guests is in user already"),
        ("cpu  600 0 200 100 0 0 0 100 0\n", "10.00", "2.6.24 to 2.6.32: guest, but no guest_nice"),
        ("cpu  600 0 200 100 0 0 0 100\n", "10.00", "2.6.11 to 2.6.23"),
        ("cpu  2255 34 2290 22625563 6290 127 456\ncpu0 9 9 9 9 9 9 9\n", "", "before 2.6.11: no steal, so unknown"),
        ("cpu  2255 34 2290 22625563\n", "", "2.4"),
        ("cpu  600 0 200 200 0 0 0 0 0 0\n", "0.00", "bare metal"),
        ("cpu  0 0 0 0 0 0 0 0 0 0\n", "0.00", "no time has passed"),
        ("cpu  0 0 0 0 0 0 0 9 0 0\n", "100.00", "all of it stolen"),
        ("cpu0 1 1 1 1 1 1 1 1 0 0\n", "", "no line of all processors"),
        ("", "", "no stat"),
    ],
)
def test_steal(stat: str, percent: str, reason: str) -> None:
    assert steal(stat) == percent, reason


@given(st.lists(st.integers(0, 10**15), min_size=8, max_size=10))
def test_steal_is_a_percentage(ticks: list[int]) -> None:
    assert 0 <= float(steal(f"cpu  {' '.join(map(str, ticks))}\n")) <= 100


@given(st.text() | st.text("cpu 01:\n") | st.text("model naeflgs:\t\n"))
def test_any_text_gives_words_or_none(text: str) -> None:
    assert "\n" not in processor(text)
    assert hypervisor(text, "QEMU") in ("", "none", "QEMU")
    assert steal(text) == "" or 0 <= float(steal(text)) <= 100


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        ((1_024, 1_048_576), "1024/1048576"),
        ((1_024, resource.RLIM_INFINITY), "1024/unlimited"),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), "unlimited/unlimited"),
        ((0, 0), "0/0"),
    ],
)
def test_limits_are_soft_and_hard(pair: tuple[int, int], words: str) -> None:
    assert limits(pair) == words


def test_this_machine() -> None:
    known = read_machine()

    assert known["python"] == platform.python_version()
    assert (known["user"] == "root") == (os.geteuid() == 0)
    assert known["RLIMIT_NOFILE"] == limits(resource.getrlimit(resource.RLIMIT_NOFILE))
    assert len([float(word) for word in known["load_average"].split()]) == 3
    assert 0 <= float(known["steal_percent_since_boot"]) <= 100
    assert all(known.values()), "what is unknown is absent, not empty"
