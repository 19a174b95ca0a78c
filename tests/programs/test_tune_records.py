"""What nodes raised is on record before it is written: without a record nothing is, and a node that died leaves one."""

from __future__ import annotations

import subprocess
import sys

import pytest
from low_host import SOMAXCONN, Host, root

CRASHED = f"""
import sys
from c1m.app.state_directory import state_directory
from c1m.kernel.tuning_record import TuningRecord, WrittenSetting
tuned = TuningRecord(state_directory())
with tuned.held():
    tuned.keep("{SOMAXCONN}", WrittenSetting(*sys.argv[1:]))
"""


@root
@pytest.mark.parametrize(
    ("record", "there"),
    [
        (("64", "64", "520"), "64"),
        (("64", "64", "520"), "520"),
        (("64", "520", "600"), "520"),
        (("64", "520", "600"), "600"),
    ],
)
def test_a_node_that_died_while_it_tuned_leaves_a_record(low: Host, record: tuple[str, ...], there: str) -> None:
    """It is on the disk before the setting is written, and so is found with what was there and with what was to be, the first
    time that something is raised and the second."""
    low.python(CRASHED, *record)
    low.set(SOMAXCONN, there)
    with low.target("--allow-tune"):
        answer = low.call("Tune", {"undo": True})

    assert [(each["before"], each["after"]) for each in answer["changes"]] == [(there, "64")]
    assert low.get(SOMAXCONN) == "64"
    assert not low.records


@root
def test_without_a_record_nothing_is_changed(low: Host) -> None:
    low.state.write_text("a file where the directory should be")
    with low.target("--allow-tune"):
        asked = low.call("Tune", {"settings": {SOMAXCONN: "520"}})

    assert asked["status"] == "FAILED_PRECONDITION"
    assert "changes nothing because it cannot record the original values" in asked["sentence"]
    assert low.get(SOMAXCONN) == "64"


HELD = """
import sys
from c1m.app.state_directory import state_directory
from c1m.kernel.tuning_record import TuningRecord
with TuningRecord(state_directory()).held():
    print("held", flush=True)
    sys.stdin.read()
"""


@root
def test_one_node_of_a_host_tunes_at_a_time_and_none_waits(low: Host) -> None:
    holding = [*low.inside, sys.executable, "-c", HELD]
    with low.target("--allow-tune"):
        with subprocess.Popen(holding, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == "held\n"
            meanwhile = low.call("Tune", {"settings": {SOMAXCONN: "520"}})
            other.communicate()
        low.call("Tune", {"settings": {SOMAXCONN: "521"}})

    assert "while another node of this host changes settings" in meanwhile["sentence"]
    assert low.get(SOMAXCONN) == "521"


@root
def test_a_record_that_is_no_record_is_said(low: Host) -> None:
    low.python(CRASHED, "64", "64", "520")
    (record,) = low.records
    record.write_text('{"host": 5}')
    with low.target("--allow-tune"):
        undone = low.call("Tune", {"undo": True})

    assert f"cannot read {record}" in undone["sentence"]
