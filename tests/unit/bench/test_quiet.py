"""The conditions of the bench: set for a block, and restored however it ends."""

import os
import signal
from pathlib import Path

import pytest
from commands import BenchError
from quiet import ending_signals_raised, memory_to_touch, priority, touch_memory, without_autogroups


@pytest.fixture
def switch(tmp_path: Path) -> Path:
    path = tmp_path / "sched_autogroup_enabled"
    path.write_text("1\n")
    return path


def test_autogroups_are_off_in_the_block_and_as_before_after_it(switch: Path) -> None:
    with without_autogroups(switch) as condition:
        assert switch.read_text() == "0"
        assert (condition.setting, condition.problem) == ("0 (was 1)", None)

    assert switch.read_text() == "1"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_autogroups_are_restored_when_a_signal_ends_the_block(switch: Path, number: signal.Signals) -> None:
    handler = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
    before = signal.signal(number, handler)  # the suite may run under nohup, which ignores SIGHUP
    try:
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            with ending_signals_raised(), without_autogroups(switch):
                os.kill(os.getpid(), number)

        assert switch.read_text() == "1"
        assert signal.getsignal(number) is handler
    finally:
        signal.signal(number, before)


def test_a_second_bench_changes_nothing(switch: Path) -> None:
    with without_autogroups(switch):
        with without_autogroups(switch) as second:
            assert second.problem
        assert switch.read_text() == "0"

    assert switch.read_text() == "1"


def test_a_kernel_without_autogroups_fulfils_the_condition(tmp_path: Path) -> None:
    with without_autogroups(tmp_path / "sched_autogroup_enabled") as condition:
        assert condition.problem is None

    assert not list(tmp_path.iterdir())


def test_niceness_is_set_and_restored() -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    if os.geteuid():
        pytest.skip("lowering niceness again needs root")

    with priority(before + 1) as condition:
        assert os.getpriority(os.PRIO_PROCESS, 0) == before + 1
        assert condition.problem is None

    assert os.getpriority(os.PRIO_PROCESS, 0) == before


def test_the_memory_that_was_measured_is_what_is_touched() -> None:
    assert memory_to_touch(150_000) == pytest.approx(2.5e9, rel=0.02)
    assert memory_to_touch(1_000_000) == pytest.approx(9.5e9, rel=0.02)


def test_touched_memory_is_free_again() -> None:
    def mapped() -> int:
        return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")

    before = mapped()

    touch_memory(64 << 20)

    assert mapped() - before < 32 << 20


def test_more_memory_than_there_is_is_refused_with_a_cure() -> None:
    with pytest.raises(BenchError, match="give a smaller --total"):
        touch_memory(1 << 60)
