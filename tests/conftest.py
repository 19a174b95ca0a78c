"""For all tests."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tiers", "lab", "forced", "low_host"]  # tiers, and the fixtures hosts, fleet and low

# The machine may be busy with anything: an example that takes long, to make or to try, says nothing about the code.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

CLONE_NEWNET = 0x40000000  # linux/sched.h; os.unshare comes with Python 3.12
SIDE_BY_SIDE = 4  # processes that test: they mostly wait. On two cores more of them would make each other late


def has_namespaces() -> bool:
    return os.geteuid() == 0 and shutil.which("ip") is not None


def pytest_configure(config: pytest.Config) -> None:
    # A shell's background jobs ignore ^C, and nohup(1) ignores SIGHUP. Programs that tests start would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if hasattr(config, "workerinput") and has_namespaces():
        enter_a_network_of_its_own()


def enter_a_network_of_its_own() -> None:
    """Ports, addresses, what rests in TIME_WAIT and the network's counters are then nobody else's, be it of another process
    of this suite or of another suite. The namespace goes when the last process in it has ended."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "cannot make a network namespace")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def pytest_xdist_auto_num_workers() -> int:
    """What ``-n auto`` means. Without namespaces they would meet at the same ports."""
    return SIDE_BY_SIDE if has_namespaces() else 0


@pytest.fixture(scope="session", autouse=True)
def journals_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Runs leave their journals where the suite's other files are, and none among the developer's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield
