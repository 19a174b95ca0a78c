"""Fuzzing: every target takes its corpus and some hundreds of other inputs, and a campaign notices whatever is a defect."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaign import CORPUS, FOUND, run
from fuzzed import Target
from targets import TARGETS

INPUTS = 300
PROGRAM = Path(CORPUS).parent / "run.py"

# A target with one defect, in a process of its own: the campaign has to outlive it.
DEFECT = """
import sys
sys.path.insert(0, {folder!r})
import campaign
from pathlib import Path
from fuzzed import Target
def check(data):
    if data == b"bad":
        {defect}
    return "fine"
campaign.HANG_SECONDS = 0.2
found = campaign.apart(Target("one", (b"good", b"bad"), lambda chance: b"good", check), 1, 10, 60.0, Path({corpus!r}))
print(found.data, found.defect)
"""


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_survives_its_corpus_and_inputs_made_by_chance(name: str, tmp_path: Path) -> None:
    shutil.copytree(CORPUS / name, tmp_path / name)  # what is new is not this test's to keep
    kept = len(list((CORPUS / name).iterdir()))

    outcome = run(TARGETS[name], seed=0, most=kept + INPUTS, seconds=200.0, corpus=tmp_path)

    assert not outcome.defect, f"{outcome.data!r}: {outcome.defect}"
    assert outcome.inputs == kept + INPUTS
    assert kept > 1


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_survives_any_bytes(name: str) -> None:
    @settings(max_examples=60)
    @given(st.binary(max_size=300))
    def check(data: bytes) -> None:
        TARGETS[name].check(data)

    check()


@pytest.mark.parametrize(
    ("defect", "named"),
    [
        ("raise KeyError('ib')", "KeyError: 'ib'"),
        ("while True: pass", "campaign.Hang: more than 0.2 s of CPU for one input"),
        ("bytearray(1 << 34)", "MemoryError"),
        ("import os; os.kill(os.getpid(), 11)", "the interpreter ended with -11"),
    ],
    ids=["an exception", "a hang", "memory", "a crash"],
)
def test_a_defect_is_found_and_its_input_is_kept(defect: str, named: str, tmp_path: Path) -> None:
    program = DEFECT.format(folder=str(PROGRAM.parent), defect=defect, corpus=str(tmp_path))

    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100)

    assert ended.stdout.startswith("b'bad' "), ended.stderr
    assert named in ended.stdout
    (found,) = (tmp_path / "one").glob(f"{FOUND}*")
    assert found.read_bytes() == b"bad"


def test_the_program_tells_how_many_inputs_it_tried() -> None:
    """Of so few that none is new: the first ones are the corpus."""
    command = [sys.executable, str(PROGRAM), "--inputs", "5", "units"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100)

    assert (ended.returncode, ended.stdout.splitlines()[-1]) == (0, "5 inputs, 0 defects"), ended.stderr


def test_a_seed_repeats_a_campaign() -> None:
    def tried(seed: int) -> list[bytes]:
        seen: list[bytes] = []

        def check(data: bytes) -> str:
            seen.append(data)
            return ""

        target = Target("one", TARGETS["units"].seeds, TARGETS["units"].make, check)
        run(target, seed, 50, 60.0, None)
        return seen

    assert tried(1) == tried(1) != tried(2)


def test_corpus_files_are_small_and_of_a_target() -> None:
    assert {path.name for path in CORPUS.iterdir()} == set(TARGETS)
    assert max(path.stat().st_size for path in CORPUS.glob("*/*")) <= 8192
