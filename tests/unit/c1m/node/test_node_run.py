"""One run on one node: from Prepare to the end of every process, with children and a clock of the test."""

from __future__ import annotations

import math
import time
from array import array

import pytest
import trio
from in_process import Numbered
from node_runs import CLOSING, LEASE, Replacements, node_run, reading, spec, watched
from trio.testing import MockClock

from c1m.errors import C1mError, RefusedError
from c1m.kernel import process_footprint
from c1m.measure.phase import Phase
from c1m.measure.reasons import ASKED, LEAVING
from c1m.measure.sampling import SamplingInterval
from c1m.measure.source_latency import BUCKETS
from c1m.node.node_run import MOST_REPLACED, READY_SECONDS
from c1m.orders.orders import CloseAll
from c1m.schedule.node_schedule import NodeSchedule
from c1m.schedule.ring import RingShare
from c1m.schedule.schedule import Arrival, Revision, Schedule, Stage

pytestmark = pytest.mark.trio


# -- getting ready


async def test_it_is_ready_when_every_child_has_reported_and_the_host_was_read(mock_clock: MockClock) -> None:
    async with node_run(3, obeys=False, ready=False) as it:
        for index in range(3):
            assert not it.run.ready.is_set()
            it.child(index).report(Phase.PREPARED)
            await it.settled()
        await it.run.all_ready()
        assert (it.run.going, it.run.phase) == (True, Phase.PREPARED)
        assert it.sample().reading is not None
        assert [child.orders for child in it.script.children] == [[Numbered(index)] for index in range(3)]


async def test_a_child_that_ends_before_it_is_ready_is_the_reason(mock_clock: MockClock) -> None:
    async with node_run(2, obeys=False, ready=False) as it:
        it.child(0).report(Phase.PREPARED)
        await it.kill(1)
        with pytest.raises(C1mError, match=r"child 1 \(pid [0-9]+\) was killed by SIGKILL"):
            await it.run.all_ready()
        assert not it.run.going


async def test_children_that_are_never_ready_are_not_waited_for_for_ever(mock_clock: MockClock) -> None:
    async with node_run(1, obeys=False, ready=False, lease=1000.0) as it:
        async with trio.open_nursery() as nursery:

            async def waits() -> None:
                with pytest.raises(C1mError, match="not ready within 60 s"):
                    await it.run.all_ready()

            nursery.start_soon(waits)
            await it.settled()
            mock_clock.jump(READY_SECONDS + 1)


async def test_who_asks_again_gets_the_same_answer(mock_clock: MockClock) -> None:
    async with node_run() as it:
        await it.run.prepared()
        await it.run.stop(CLOSING, ASKED)
        with pytest.raises(RefusedError, match="run r is closing: it was asked to"):
            await it.run.prepared()


async def test_what_its_last_words_were_is_the_reason(mock_clock: MockClock) -> None:
    async with node_run(1, obeys=False, ready=False) as it:
        it.child().send({"last_words": "ValueError: no"})
        await it.settled()
        await it.kill(0, status=256)
        with pytest.raises(C1mError, match="failed: ValueError: no"):
            await it.run.all_ready()


# -- the lease


async def pass_time(clock: MockClock, seconds: float) -> None:
    """In steps shorter than a look at the lease."""
    for _ in range(round(seconds / 0.2)):
        clock.jump(0.2)
        await trio.testing.wait_all_tasks_blocked(0.001)


async def test_a_run_that_nobody_watches_ends_with_its_lease(mock_clock: MockClock) -> None:
    async with node_run(lease=3.0) as it:
        await pass_time(mock_clock, 2.8)
        assert not it.run.stopping
        assert 0 < it.run.lease_left() <= 0.3
        await pass_time(mock_clock, 0.6)
        assert it.run.stopping
        assert "lease of 3 s ended" in str(it.sample().closing_reason)
        assert [child.orders[-1] for child in it.script.children] == [CLOSING] * 2
        await it.run.over.wait()


async def test_whoever_watches_keeps_it_alive_and_the_lease_counts_from_when_the_last_one_left(mock_clock: MockClock) -> None:
    async with node_run(lease=3.0) as it:
        with watched(it.run):
            with watched(it.run):
                await pass_time(mock_clock, 4)
            assert it.run.lease_left() == math.inf
            await pass_time(mock_clock, 4)
        assert not it.run.stopping
        assert it.run.lease_left() == pytest.approx(3)
        await pass_time(mock_clock, 2.8)
        assert not it.run.stopping
        await pass_time(mock_clock, 0.6)
        assert it.run.stopping


async def test_a_node_that_was_stopped_for_longer_than_the_lease_ends_the_run_though_it_is_watched(
    mock_clock: MockClock,
) -> None:
    async with node_run(lease=3.0) as it:
        with watched(it.run):
            mock_clock.jump(3.2)
            await it.settled()
            assert not it.run.stopping, "not longer than the lease and one look"
            mock_clock.jump(4.0)
            await it.settled()
            assert it.run.stopping
            assert "while this node was stopped" in str(it.run.closing_reason)


# -- the end


async def test_it_is_closed_when_every_child_is_closed_and_gone(mock_clock: MockClock) -> None:
    async with node_run(2, obeys=False, ready=False) as it:
        for child in it.script.children:
            child.report(Phase.PREPARED)
        await it.run.all_ready()
        await it.run.stop(CLOSING, ASKED)
        await it.settled()
        it.child(0).report(Phase.CLOSED, opened=5, closed=5)
        await it.settled()
        assert (it.run.phase, it.run.over.is_set()) == (Phase.PREPARED, False)
        it.child(1).report(Phase.CLOSED, opened=7, closed=7)
        await it.run.over.wait()

        last = it.sample()
        assert (last.phase, last.tally.opened, last.tally.closed, last.processes) == (Phase.CLOSED, 12, 12, 0)
        assert str(last.closing_reason) == "it was asked to"
        assert last.exit_reasons == ()


async def test_a_sample_says_closed_only_when_the_processes_are_gone(mock_clock: MockClock) -> None:
    async with node_run(1, obeys=False, ready=False) as it:
        it.child().report(Phase.PREPARED)
        await it.run.all_ready()
        it.child().report(Phase.CLOSED)
        await it.settled()
        assert it.run.phase is Phase.CLOSED
        assert it.sample().phase is Phase.CLOSING


async def test_the_first_reason_to_close_counts(mock_clock: MockClock) -> None:
    async with node_run() as it:
        await it.run.stop(CLOSING, ASKED)
        await it.run.stop(CloseAll(reset=False, seconds_a_chunk=1.0), LEAVING)
        await it.settled()
        assert str(it.run.closing_reason) == "it was asked to"
        assert [child.orders[1:] for child in it.script.children] == [[CLOSING]] * 2


async def test_what_belongs_to_the_run_is_closed_when_it_begins_to_close(mock_clock: MockClock) -> None:
    closed: list[str] = []
    async with node_run() as it:
        it.run.belongings.callback(closed.append, "listener")
        await it.run.stop(CLOSING, ASKED)
        assert closed == ["listener"]
        await it.run.over.wait()
        assert closed == ["listener"]


async def test_a_run_that_is_cancelled_ends_its_children_and_wakes_who_waits(mock_clock: MockClock) -> None:
    async with node_run() as it:
        children = it.script.children
    assert all(child.is_closed for child in children)
    assert it.run.over.is_set()
    assert it.sample().processes == 0


async def test_a_run_without_children_holds_until_it_is_closed(mock_clock: MockClock) -> None:
    async with node_run(0) as it:
        assert it.run.phase is Phase.HOLDING
        assert it.sample().cpu_seconds == 1.5, "the server's, as the reader says"
        await it.run.stop(CLOSING, ASKED)
        await it.run.over.wait()
        assert it.sample().phase is Phase.CLOSED


# -- children that end


async def test_a_child_that_ends_is_counted_and_named(mock_clock: MockClock) -> None:
    async with node_run() as it:
        for child in it.script.children:
            child.report(Phase.HOLDING, attempted=10, opened=8, failed={"ETIMEDOUT": 1}, dropped={"peer_reset": 2})
        await it.settled()
        await it.kill(0)
        sample = it.sample()
        assert sample.tally.dropped == {"peer_reset": 4, "process_died": 6}
        assert sample.tally.failed == {"ETIMEDOUT": 2, "process_died": 1}
        assert (sample.tally.open, sample.tally.in_flight, sample.processes) == (6, 1, 1)
        assert len(sample.exit_reasons) == 1
        assert "child 0" in str(sample.exit_reasons[0])
        assert "SIGKILL" in str(sample.exit_reasons[0])
        assert sample.replacements == ()


async def test_a_child_is_replaced_and_told_where_the_run_is(mock_clock: MockClock) -> None:
    async with node_run() as it:
        it.run.successors = Replacements()
        it.run.start = time.monotonic() - 5
        for child in it.script.children:
            child.report(Phase.HOLDING, opened=4, reached={0: 10**9})
        await it.settled()
        await it.kill(1)

        assert it.zygote.forked_names == ["child 0", "child 1", "child 1"]
        order = it.child(2).orders[1]
        assert (order.at, order.reached) == (it.run.start, {0: 10**9})
        assert time.monotonic() - 5 < order.joined <= time.monotonic()
        sample = it.sample()
        (replacement,) = sample.replacements
        assert (replacement.connections, replacement.exit_reason) == (4, sample.exit_reasons[0])
        assert replacement.ended_ns is not None
        assert 5e9 <= replacement.ended_ns < 60e9
        assert 0 <= replacement.after_ns < 60e9
        assert sample.reached_ns == {0: 10**9}, "of those that ended only their replacements count"
        assert it.run.successors.given_up == []


async def test_one_that_ends_again_and_again_is_given_up(mock_clock: MockClock) -> None:
    async with node_run() as it:
        replacements = it.run.successors = Replacements()
        for number in range(1, 2 + MOST_REPLACED):
            await it.kill(number)
        sample = it.sample()
        assert it.zygote.forked_names == ["child 0", *["child 1"] * (1 + MOST_REPLACED)]
        assert len(sample.replacements) == MOST_REPLACED
        assert replacements.given_up == [1]
        assert "4th time" in str(sample.exit_reasons[-1])
        await it.kill(0)
        assert len(it.sample().replacements) == MOST_REPLACED + 1, "another one still is replaced"


@pytest.mark.parametrize("why", ["settling", "halted", "stopping", "going"])
async def test_when_the_run_ends_nothing_is_replaced(mock_clock: MockClock, why: str) -> None:
    async with node_run() as it:
        replacements = it.run.successors = Replacements()
        setattr(it.run, why, why != "going")
        await it.kill(1)
        assert (it.zygote.forked_names, replacements.given_up) == (["child 0", "child 1"], [1])
        assert it.sample().replacements == ()


async def test_a_run_that_closes_while_a_replacement_is_made_does_without(mock_clock: MockClock) -> None:
    async with node_run() as it:
        replacements = it.run.successors = Replacements()
        async with it.run.turning:
            await it.kill(1)
            await it.run.stop(CLOSING, ASKED)
        await it.run.over.wait()
        assert (it.zygote.forked_names, replacements.given_up) == (["child 0", "child 1"], [1])


async def test_a_replacement_that_cannot_be_started_is_said_with_the_reason(mock_clock: MockClock) -> None:
    async with node_run() as it:
        replacements = it.run.successors = Replacements()
        it.zygote.refused = "no process left"
        await it.kill(1)
        sample = it.sample()
        assert len(sample.exit_reasons) == 1
        assert "could not be replaced: no process left" in str(sample.exit_reasons[0])
        assert (sample.replacements, replacements.given_up) == ((), [1])


async def test_children_of_one_process_end_and_are_replaced_together(mock_clock: MockClock) -> None:
    async with node_run(3) as it:
        it.run.successors = Replacements()
        first, second, _ = it.run.supervisor.children
        second.pid = first.pid
        it.zygote.has_exited(first, 9)
        for number in (0, 1):
            it.child(number).report(Phase.HOLDING, opened=3)
            it.child(number).die()
        await it.settled()
        sample = it.sample()
        assert len(sample.exit_reasons) == 1
        assert "1 more" in str(sample.exit_reasons[0])
        assert [replacement.connections for replacement in sample.replacements] == [6]
        assert it.zygote.forked_names == ["child 0", "child 1", "child 2", "child 0", "child 1"]


async def test_a_child_that_reports_an_exception_ends_alone(mock_clock: MockClock) -> None:
    async with node_run(2) as it:
        first, second = it.run.supervisor.children
        second.pid = first.pid
        it.child(0).send({"last_words": "ValueError: no"})
        it.child(0).die()
        await it.settled()
        sample = it.sample()
        assert sample.processes == 1
        assert "ValueError: no" in str(sample.exit_reasons[0])


async def test_the_phase_does_not_pass_a_child_that_is_to_be_replaced(mock_clock: MockClock) -> None:
    async with node_run() as it:
        for child in it.script.children:
            child.report(Phase.HOLDING)
        await it.settled()
        before = it.run.phase
        it.run.supervisor.mourning = 1
        assert (before, it.run.phase) == (Phase.HOLDING, Phase.OPENING)


async def test_more_children_join_a_run(mock_clock: MockClock) -> None:
    async with node_run() as it:
        await it.run.join([spec(2)])
        await it.settled()
        assert it.child(2).orders == [Numbered(2)], "it has not started yet"
        it.run.start = time.monotonic()
        for child in it.script.children[:2]:
            child.report(Phase.HOLDING)
        await it.run.join([spec(3)])
        await it.settled()
        assert len(it.child(3).orders) == 2
        assert it.run.phase is Phase.OPENING, "one that has just joined has not reported yet"


# -- samples


async def test_a_sample_adds_up_what_the_children_report(mock_clock: MockClock) -> None:
    async with node_run() as it:
        it.run.start = time.monotonic() - 10
        it.child(0).report(
            Phase.OPENING,
            opened=3,
            last_opened=it.run.start + 2,
            full=True,
            reached={0: 5, 1: 7},
            waves=[(2, 1, 0.5, 0.1, 0)],
            turnover_stopped=True,
            heard=b"hello",
            histograms={"connect_latency_us": {30_000: 2}},
        )
        it.child(1).report(
            Phase.HOLDING,
            opened=4,
            last_opened=it.run.start + 3,
            reached={0: 6},
            waves=[(1, 1, 0.7, 0.05, 0)],
            histograms={"connect_latency_us": {30_000: 1, 30_500: 4}},
        )
        await it.until(lambda: it.run.supervisor.tally().opened == 7)
        sample = it.sample()
        assert (sample.phase, sample.tally.opened, sample.full_acceptors, sample.processes) == (Phase.OPENING, 7, 1, 2)
        assert sample.opened_within_ns == pytest.approx(3e9, rel=1e-6)
        assert sample.cpu_seconds == 1.0
        assert sample.reached_ns == {0: 6}
        (wave,) = sample.waves
        assert (wave.dropped, wave.returned, wave.recovered_seconds, wave.slowest_seconds) == (3, 2, 0.7, 0.1)
        assert (sample.turnover_stopped, sample.first_received) == (False, b"hello")
        assert list(sample.histograms["connect_latency_us"].values()) == [3, 4]
        assert 10e9 <= sample.elapsed_ns < 100e9


async def test_what_is_new_is_waited_for_but_not_for_long(mock_clock: MockClock) -> None:
    async with node_run() as it:
        got: list[tuple[float, int]] = []

        async def watch() -> None:
            seen = it.run.version
            while True:
                seen, sample = await it.run.next_sample(seen, 10**6, SamplingInterval(0.25, 1))
                got.append((mock_clock.current_time(), sample.tally.opened))
                await trio.sleep(0.01)  # it is sent

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            await it.settled()
            start = mock_clock.current_time()
            it.child(0).report(Phase.OPENING, opened=1)
            await it.settled()
            it.child(0).report(Phase.OPENING, opened=2)
            await it.settled()
            assert got == [(start, 1)]
            for seconds in (0.01, 0.24):
                mock_clock.jump(seconds)
                await it.settled()
            assert got == [(start, 1)], "what came while one was sent waits for the interval"
            mock_clock.jump(0.01)
            await it.settled()
            assert [opened for _, opened in got] == [1, 2]
            it.run.reader_lock.acquire_nowait()  # no reading makes news from here on
            mock_clock.jump(0.01)
            await it.settled()
            mock_clock.jump(0.98)
            await it.settled()
            assert len(got) == 2
            mock_clock.jump(0.03)
            await it.settled()
            assert [opened for _, opened in got] == [1, 2, 2], "silence means a lost node"
            nursery.cancel_scope.cancel()


async def test_readings_come_as_often_as_the_watcher_wants_them(mock_clock: MockClock) -> None:
    async with node_run() as it:
        it.child(0).report(Phase.OPENING, histograms={"connect_latency_us": {30_000: 2}})
        await it.settled()
        for _ in range(3):
            before = it.reader.taken
            mock_clock.jump(1.01)
            await it.until(lambda before=before: it.run.reading and it.run.reading.number >= before)  # type: ignore[misc]
        newest = it.reader.taken - 1
        assert newest >= 3
        every, seldom = SamplingInterval(0.25, 1), SamplingInterval(0.25, 3)
        assert it.sample(every, newest).reading is None
        assert it.sample(every, newest).histograms == {}
        found = it.sample(every, newest - 1).reading
        assert found is not None
        assert found.number == newest
        assert it.sample(every, newest - 1).histograms
        assert it.sample(seldom, newest - 2).reading is None
        assert it.sample(seldom, newest - 3).reading is not None


async def test_latencies_by_source_come_with_every_tenth_reading_and_at_the_end(mock_clock: MockClock) -> None:
    async with node_run(1) as it:
        rows = array("I", [0] * BUCKETS)
        rows[3] = 5
        it.child().send({"kind": "connect_latency_us", "sources": (["10.0.0.1"], rows.tobytes())})
        await it.settled()
        it.run.reading = reading(19)
        assert it.sample(read=18).sources == ()
        it.run.reading = reading(20)
        (latency,) = it.sample(read=19).sources
        assert latency.source == "10.0.0.1"
        await it.run.stop(CLOSING, ASKED)
        await it.run.over.wait()
        assert it.sample(read=20).sources == (latency,)


async def test_what_the_schedule_has_is_that_of_when_each_child_counted(mock_clock: MockClock) -> None:
    async with node_run() as it:
        assert it.run.scheduled() is None
        share = [RingShare(100, 50 * index, 50) for index in range(2)]
        it.run.following = NodeSchedule(tuple(share), Revision(Schedule((Stage(100, 10 * 10**9),))), Arrival.CONSTANT)
        assert it.run.scheduled() is None, "not before the start"
        now = time.monotonic()
        it.run.start = now - 5.0
        for child, ago in zip(it.script.children, (0.2, 0.6), strict=True):
            child.report(Phase.OPENING, opened=20, counted_at=now - ago)
        await it.until(lambda: it.run.supervisor.tally().opened == 40)
        assert it.run.scheduled() == share[0].count(48) + share[1].count(44)
        sample = it.sample()
        assert (sample.schedule_version, sample.scheduled) == (1, it.run.scheduled())
        await it.kill(1)
        scheduled = it.run.scheduled()
        assert scheduled is not None
        assert scheduled >= share[0].count(48) + share[1].count(50), "one that is gone is compared with now"


# -- children that are stuck


async def test_a_child_that_should_close_and_does_nothing_is_killed(
    mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_footprint, "is_over", lambda _: False)
    monkeypatch.setattr(process_footprint, "cpu_seconds", lambda _: 1.0)
    async with node_run(2, obeys=False, ready=False) as it:
        for child in it.script.children:
            child.report(Phase.PREPARED)
        await it.run.all_ready()
        await it.run.stop(CloseAll(seconds_a_chunk=2.0), ASKED)
        await pass_time(mock_clock, 4)
        it.child(0).report(Phase.CLOSING)
        await pass_time(mock_clock, 4)
        first, second = it.run.supervisor.children
        assert (bool(first.killed_for), bool(second.killed_for)) == (False, True), "7 s after the last sign"
        await pass_time(mock_clock, 4)
        assert first.killed_for
        it.zygote.has_exited(first, 9)
        it.zygote.has_exited(second, 9)
        await it.run.over.wait()
        assert len(it.sample().exit_reasons) == 2


async def test_a_closed_child_that_does_not_end_is_killed(mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_footprint, "is_over", lambda _: False)
    monkeypatch.setattr(process_footprint, "cpu_seconds", lambda _: 1.0)
    async with node_run(1, obeys=False, ready=False) as it:
        it.child().report(Phase.CLOSED)
        await it.run.all_ready()
        it.child().ended = lambda: None  # the zygote says nothing
        await it.run.stop(CLOSING, ASKED)
        await pass_time(mock_clock, 4)
        (child,) = it.run.supervisor.children
        assert not child.killed_for
        await pass_time(mock_clock, 2)
        assert child.killed_for
        it.zygote.has_exited(child, 9)
        await it.run.over.wait()


async def test_the_default_lease_of_these_tests_is_not_over(mock_clock: MockClock) -> None:
    async with node_run() as it:
        await pass_time(mock_clock, LEASE - 1)
        assert not it.run.stopping
