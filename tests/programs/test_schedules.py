"""Schedules of whole runs: real processes, real gRPC, the real kernel. Every opening and closing is counted on both sides."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from programs import coordinator, node, summary_of

from c1m.coordinator.commands.retarget import call
from c1m.coordinator.fleet.clients import WorkerClient
from c1m.measure.sample import Sample
from c1m.net.endpoints import parse_host_port
from c1m.schedule.ring import RingShare
from c1m.schedule.shapes import parse_shape, schedule_of
from c1m.worker.node.requests import tick

# Ports and sources of this file's own, so that nothing else's sockets are counted or in the way.
WORKERS = ("127.0.0.1:24310", "127.0.0.1:24311")
TARGET = "127.0.0.1:24320"
NODES = ("--worker", WORKERS[0], "--target", TARGET)
WORKER_FLAGS = ("--worker", WORKERS[0], "--worker", WORKERS[1])
BOTH = (*WORKER_FLAGS, "--target", TARGET)
FEW_DESCRIPTORS = ("prlimit", "--nofile=700")  # several shards and acceptors for a thousand connections


@pytest.fixture(scope="module", autouse=True)
def fleet() -> Iterator[None]:
    """Two workers with sources of their own, and a target."""
    where = ("--bind", "127.0.0.1", "--ports", "24330-24359")
    one, other = (("--listen", worker, "--source", f"127.0.13.{n}") for n, worker in enumerate(WORKERS, 1))
    with (
        node("worker", *one, inside=FEW_DESCRIPTORS),
        node("worker", *other, inside=FEW_DESCRIPTORS),
        node("target", "--listen", TARGET, *where, inside=FEW_DESCRIPTORS),
    ):
        yield


def stages(*words: str) -> tuple[str, ...]:
    return tuple(word for stage in words for word in ("--stage", stage))


def assert_followed(summary: dict[str, Any], due: int, left: int) -> None:
    """Every opening that was due, no other one; every closing but for ``left``; and both sides counted the same."""
    target, counted = summary["target"], summary["reconciliation"]
    assert summary["verdict"] == "passed", summary["reasons"]
    assert (summary["attempted"], target["accepted"], summary["failed"], summary["dropped"]) == (due, due, {}, {})
    assert summary["established_at_hold_end"] == counted["target_open"] == counted["kernel_established"] == left
    assert counted["client_kernel_established"] == left
    assert sum(target["dropped"].values()) >= due - left  # what clients closed; at the end they close the rest
    assert all(stage["reached_seconds"] is not None for stage in summary["stages"]), summary["stages"]


def test_up_and_held_and_down_and_up_again() -> None:
    summary = summary_of(*NODES, *stages("1200@500ms", "1200@5s", "300@500ms", "300@1s", "800@500ms"))

    assert_followed(summary, 1200 + 500, 800)
    assert summary["workers"][0]["shards"] > 1
    assert [stage["total"] for stage in summary["stages"]] == [1200, 1200, 300, 300, 800]
    assert summary["target"]["memory"]["connections"] == 1200
    (rest,) = summary["reconciliation"]["at_rests"]
    assert (rest["total"], rest["client_established"], rest["kernel_established"]) == (1200, 1200, 1200)
    assert all(stage["reached_seconds"] >= stage["due_seconds"] - stage["within_seconds"] for stage in summary["stages"])
    assert max(count for count in summary["timeline"]["scheduled"] if count is not None) == 1200


@pytest.mark.parametrize(("close", "order"), [("rst", "oldest"), ("fin", "random")])
def test_a_spike_is_closed_as_it_is_told(close: str, order: str) -> None:
    """With a FIN the 4-tuples are in TIME_WAIT then, and the run goes past them."""
    words = ("--close", close, "--close-order", order, "--seed", "5")
    summary = summary_of(*BOTH, *stages("200@200ms", "spike:1000@2s", "200@100ms"), *words)

    assert_followed(summary, 1000, 200)
    ways = {"rst": "peer_reset", "fin": "peer_closed"}
    assert summary["target"]["dropped"][ways[close]] >= 800
    assert summary["seed"] == 5


def test_few_4_tuples_are_used_again_and_again() -> None:
    """Five waves over hardly more ports than connections."""
    listen = "127.0.0.1:24312"
    with node("worker", "--listen", listen, "--source", "127.0.13.9", "--ports", "24400-24449"):
        words = ("--worker", listen, "--target", TARGET)
        summary = summary_of(*words, *stages(*["45@100ms", "45@500ms", "0@100ms", "0@500ms"] * 5))

    assert_followed(summary, 5 * 45, 0)
    assert summary["skipped_ports"] == 0


def test_poisson_arrivals_are_all_there_at_the_end() -> None:
    summary = summary_of(*NODES, "--total", "900", "--ramp", "1s", "--arrival", "poisson", "--hold", "0s")

    assert_followed(summary, 900, 900)
    assert summary["spec"]["arrival"] == "poisson"
    assert isinstance(summary["seed"], int)


def test_stages_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text('stage = ["400@200ms", "400@1s", "stairs:100/3@3s", "sine:100-300/2s@2s"]\nclose-order = "random"\n')

    summary = summary_of(*NODES, "--spec", str(file))

    assert_followed(summary, 400 + 200, 100)
    assert summary["spec"]["stage"] == ["400@200ms", "400@1s", "stairs:100/3@3s", "sine:100-300/2s@2s"]


def test_what_failed_is_tried_again_only_when_the_schedule_comes_past_it_again() -> None:
    """At a port where nobody listens: 50 on the way up, nothing to close, and the 30 of the second way up."""
    words = ("--worker", WORKERS[0], "--endpoint", "127.0.0.1:1", *stages("50@200ms", "20@200ms", "50@200ms"))
    summary = summary_of(*words)

    assert summary["verdict"] == "failed"
    assert (summary["attempted"], summary["failed"], summary["closed"]) == (80, {"ECONNREFUSED": 80}, 0)
    assert [stage["reached_seconds"] is None for stage in summary["stages"]] == [True, False, True]
    assert "0 of 80 connections were established; failed: 80 ECONNREFUSED" in summary["reasons"]


def test_what_is_dropped_is_not_opened_again_and_not_closed_twice() -> None:
    """A target that leaves in the middle: everything is dropped, and a schedule that falls has nothing to close."""
    listen = "127.0.0.1:24321"
    with node("target", "--listen", listen, "--bind", "127.0.0.1", "--ports", "24360-24363") as target:
        with coordinator("--worker", WORKERS[0], "--target", listen, *stages("400@200ms", "400@2s", "0@1s")) as coord:
            assert coord.stderr is not None
            assert any(line.startswith("following") and "400 of 400" in line for line in coord.stderr)
            target.terminate()
            said = coord.stderr.read()
            code = coord.wait(60)

    assert code == 4, said


# -- every sample


async def samples_of(address: str, run: str) -> list[Sample]:
    worker = WorkerClient(parse_host_port(address, 0))
    try:
        return [told.sample async for told in worker.watch(run)]
    finally:
        await worker.close()


async def run_of(address: str) -> str:
    """The id of the run that a worker is on, as soon as it is on one."""
    worker = WorkerClient(parse_host_port(address, 0))
    try:
        while not (run := (await worker.describe([])).run_id):
            await asyncio.sleep(0.02)  # a bounded poll: the test has a timeout
        return run
    finally:
        await worker.close()


async def watched() -> list[list[Sample]]:
    run = await run_of(WORKERS[0])
    return await asyncio.gather(*(samples_of(address, run) for address in WORKERS))


UP_AND_DOWN = ("1200@1s", "1200@1s", "100@1s", "sine:100-900/4s@4s")


@pytest.mark.alone
def test_every_sample_of_every_node_is_on_the_line(tmp_path: Path) -> None:
    """What each node tells that it should have is its part of the line as it was within the second that a tally may be old;
    and what it has is that to 0.1 % of the total, and what is due within two ticks of its shards.

    Alone, and with a long wave, for the sake of its crest: what a shard without a CPU has not opened when the line falls again
    is never opened.
    """
    told = tmp_path / "summary.json"
    schedule = schedule_of(parse_shape(word) for word in UP_AND_DOWN)
    with coordinator(*WORKER_FLAGS, "--target", TARGET, *stages(*UP_AND_DOWN), "--json", str(told)) as coord:
        samples = asyncio.run(watched())
        assert coord.stderr is not None
        coord.stderr.read()
        coord.wait(60)

    assert_followed(json.loads(told.read_text()), 1200 + 800, 100)
    half = schedule.peak // 2
    for share, node_samples in zip((RingShare(1200, 0, half), RingShare(1200, half, half)), samples, strict=True):
        following = [each for each in node_samples if each.scheduled is not None]
        assert len(following) > 5
        for sample in following:
            assert sample.scheduled is not None
            lately = [share.count(schedule.at(sample.elapsed_ns - ago)) for ago in range(0, 11 * 10**8, 10**7)]
            assert min(lately) - 1 <= sample.scheduled <= max(lately) + 1
        off = [abs(each.tally.open + each.tally.in_flight - each.scheduled) for each in following if each.scheduled is not None]
        assert statistics.median(off) <= 1200 * 0.001 + 1200 * 2 * tick(len(WORKERS))


# -- retargeting


def retarget(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "c1m.coordinator", "retarget", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@contextmanager
def running(told: Path, *words: str, until: str) -> Iterator[None]:
    """A run on both workers that has said so; to its end, by its own exit code."""
    with coordinator(*WORKER_FLAGS, "--target", TARGET, *words, "--json", str(told)) as coord:
        assert coord.stderr is not None
        assert any(line.startswith(until) for line in coord.stderr)
        yield
        said = coord.stderr.read()
        assert coord.wait(60) == 0, said


def test_a_run_on_its_schedule_is_retargeted_down_and_up(tmp_path: Path) -> None:
    told = tmp_path / "summary.json"
    with running(told, *stages("1000@300ms", "1000@10m"), until="following"):
        down = retarget(*WORKER_FLAGS, *stages("200@500ms", "200@10m"))
        assert (down.returncode, down.stderr) == (0, "")
        more = retarget(*WORKER_FLAGS, "--total", "1001")
        up = retarget(*WORKER_FLAGS, *stages("700@300ms", "700@1s", "spike:900@2s"))
        assert up.returncode == 0, up.stderr

    summary = json.loads(told.read_text())
    assert more.returncode == 3
    assert "planned for 1,000 connections at most, and 1,001 are asked for" in more.stderr
    assert summary["verdict"] == "passed", summary["reasons"]
    assert summary["established_at_hold_end"] == summary["reconciliation"]["kernel_established"] == 700
    assert [change["version"] for change in summary["retargets"]] == [2, 3]
    assert [stage["total"] for stage in summary["retargets"][1]["stages"]] == [700, 700, 900, 900, 700]
    assert summary["stages"][-1]["reached_seconds"] is not None


def test_a_closed_loop_that_holds_is_retargeted_and_holds_again(tmp_path: Path) -> None:
    """From here: on a busy machine a command of its own might take longer to start than the hold is long."""
    told = tmp_path / "summary.json"
    with running(told, "--total", "1000", "--hold", "5s", until="holding"):
        for total in ("100", "1000"):
            shapes = [parse_shape(f"{total}@300ms")]
            asyncio.run(call([parse_host_port(worker, 0) for worker in WORKERS], None, None, shapes))

    summary = json.loads(told.read_text())
    assert summary["verdict"] == "passed", summary["reasons"]
    assert summary["established_at_hold_end"] == summary["reconciliation"]["kernel_established"] == 1000
    assert summary["attempted"] == summary["target"]["accepted"] > 1000
    assert summary["failed"] == {}
    assert summary["connect_latency_from_due_us"]["count"] == summary["connect_latency_us"]["count"] == summary["attempted"]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--total", "5"), 3, "there is no run on"),
        (("20260101T000000-beef", "--total", "5"), 3, "is on run 20260101T000000-beef"),
        (("--total", "some"), 2, "'some'"),
        (("--total", "5", "--within", "soon"), 2, "'soon'"),
        (("--total", "5", "--stage", "5@1s"), 2, "give --total (and --within) or --stage"),
        ((), 2, "give --total (and --within) or --stage"),
        (("--stage", "5"), 2, "is not a stage"),
    ],
)
def test_a_retarget_that_makes_no_sense_is_a_sentence(words: tuple[str, ...], code: int, told: str) -> None:
    ended = retarget(*WORKER_FLAGS, *words)

    assert (ended.returncode, len(ended.stderr.splitlines())) == (code, 1), ended.stderr
    assert told in ended.stderr


def test_a_retarget_without_workers_is_a_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "c1m.coordinator", "retarget", "--total", "5"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path)

    assert (ended.returncode, ended.stderr) == (
        2,
        "error: no worker is named; give every worker of the run with --worker, or in c1m.toml\n",
    )
