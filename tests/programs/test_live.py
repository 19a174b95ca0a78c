"""What a person sees of a run while it goes on: lines where there is no terminal, a table where there is one."""

import re
from io import StringIO

import pytest
from programs import run_coord
from rich.console import Console

from c1m.coordinator.ledger.doing import Doing
from c1m.coordinator.ledger.latency_kinds import CONNECT, FIRST_BYTE, HEARTBEAT
from c1m.coordinator.ledger.ledger import Ledger
from c1m.coordinator.ledger.loss_reason import LossKind, LossReason
from c1m.coordinator.ledger.node_record import NodeRecord
from c1m.coordinator.report.live import Lines, Rates, Terminal, TimeLeft, view
from c1m.coordinator.report.live_status import storm
from c1m.measure.phase import Phase
from c1m.measure.sample import Sample
from c1m.measure.source_latency import SourceLatency
from c1m.measure.tally import Tally
from c1m.schedule.shapes import parse_shape, schedule_of
from c1m.traffic.heartbeat import ANSWERED, MISSING, RECOVERED, SENT
from c1m.traffic.push import RECEIVED
from c1m.traffic.turnover import Wave

IPV6 = "worker [fd00::1]:7100"  # looks like markup


def ledger() -> Ledger:
    """A worker that opens, one that is lost, and the target."""
    entries = [NodeRecord(IPV6, 2_000), NodeRecord("worker b:7100", 1_000), NodeRecord("target t:7200", 3_000)]
    made = Ledger(entries[:2], entries[2])
    dropped = {"peer_reset": 7}
    made.take(entries[0], Sample(Phase.OPENING, Tally(attempted=1_500, opened=1_234, failed={"ETIMEDOUT": 5}, dropped=dropped)))
    made.take(entries[1], Sample(Phase.OPENING, Tally(attempted=600, opened=600)))
    made.lose(entries[1], LossReason(LossKind.ENDED), 0.0)
    made.take(entries[2], Sample(Phase.HOLDING, Tally(opened=1_200)))
    return made


def lines(*shown: tuple[Doing, float | None]) -> list[str]:
    """What is written of (doing, progress), one after the other, to something that is no terminal."""
    console = Console(file=StringIO(), emoji=False)
    with view(console) as made:
        assert isinstance(made, Lines)
        for doing, progress in shown:
            made.show(ledger(), doing, progress)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


def test_a_line_says_what_is_done_and_what_the_workers_that_are_left_hold() -> None:
    assert lines((Doing.HOLDING, 1.0)) == ["holding 100%, 1,227 of 3,000 established, 5 failed, 7 dropped, 1 of 3 nodes lost"]


def test_a_line_about_opening_tells_the_rate_too() -> None:
    assert lines((Doing.OPENING, 0.0)) == [
        "opening 0%, 1,227 of 3,000 established, 5 failed, 7 dropped, 1 of 3 nodes lost, 0/s"
    ]


def test_where_the_schedule_goes_up_and_down_it_says_what_should_be_open() -> None:
    entries = [NodeRecord("worker a:7100", 3_000), NodeRecord("target t:7200", 3_000)]
    made = Ledger(entries[:1], entries[1], schedule_of([parse_shape("3k@10s"), parse_shape("1k@10s")]))
    made.take(entries[0], Sample(Phase.OPENING, Tally(attempted=1_234, opened=1_234), elapsed_ns=5, scheduled=1_250))
    file, terminal = (
        Console(file=StringIO(), force_terminal=forced, width=100, color_system=None, emoji=False) for forced in (False, True)
    )
    for console in (file, terminal):
        with view(console) as shown:
            shown.show(made, Doing.FOLLOWING, 0.25)

    assert isinstance(file.file, StringIO)
    assert isinstance(terminal.file, StringIO)
    assert file.file.getvalue().startswith("following 25%, 1,234 of 1,250 scheduled, 0 failed, 0 dropped")
    rows = [line.split() for line in terminal.file.getvalue().splitlines()]
    assert any(row[2:5] == ["3,000", "1,250", "1,234"] for row in rows)


def test_it_says_whether_connections_are_alive_and_what_they_feel() -> None:
    entries = [NodeRecord("worker a:7100", 3_000)]
    made, console = Ledger(entries, None), Console(file=StringIO(), emoji=False, width=300)
    beats = {SENT: 900, ANSWERED: 880, MISSING: 12, RECOVERED: 2}
    tally = Tally(opened=3_000, heartbeats=beats, pushes={RECEIVED: 7}, bytes_sent=57_600, bytes_received=56_768, away=30)
    made.timeline.begin(0.0, made.moment)
    waves = (Wave(100, 100, 2.0, 0.1), Wave(50, 20, 1.0, 0.1))
    made.take(
        entries[0], Sample(Phase.HOLDING, tally, waves=waves, histograms={HEARTBEAT: {7_000: 880}, CONNECT: {500: 3_000}})
    )
    made.timeline.take(1.0, made.moment)
    with view(console) as shown:
        shown.show(made, Doing.HOLDING, 1.0)

    assert isinstance(console.file, StringIO)
    assert (
        console.file.getvalue()
        .strip()
        .endswith(
            "30 away, 20 of 50 back from the storm, 900 heartbeats, 12 missing, 2 recovered, 7 pushes, connect p99 504 us, "
            "heartbeat p99 7.04 ms, 57.6 kB out, 56.8 kB in"
        )
    )


def test_a_storm_is_told_of_when_it_has_come_and_then_how_long_it_took() -> None:
    assert storm([Wave(), Wave()]) == []
    assert storm([Wave(100, 100, 2.0, 0.1), Wave()]) == ["100 of 100 back from the storm after 2 s"]


def test_there_is_a_line_for_each_thing_done_and_not_for_each_look() -> None:
    told = lines((Doing.OPENING, 0.0), (Doing.OPENING, 0.0), (Doing.HOLDING, 0.0), (Doing.HOLDING, 0.0), (Doing.CLOSING, 0.0))

    assert [line.split()[0] for line in told] == ["opening", "holding", "closing"]


def test_a_sentence_is_one_line_and_letter_by_letter() -> None:
    console = Console(file=StringIO(), emoji=False)
    sentence = f"lost: {IPV6}: [bold]connection reset[/bold] by peer, " + "and so on " * 20 + "to the end"

    with view(console) as made:
        made.say(sentence)

    assert isinstance(console.file, StringIO)
    assert console.file.getvalue() == sentence + "\n"


def test_what_a_run_prints_first_keeps_addresses_as_they_are() -> None:
    """To rich ":b:" is a picture, and to us a part of an address."""
    run = run_coord("--total", "1", "--worker", "[fd00:b:1::1]:7100")

    assert "--worker [fd00:b:1::1]:7100" in run.stderr.replace("'", "")  # which a shell needs around brackets


def test_a_terminal_shows_every_node_with_its_numbers() -> None:
    console = Console(file=StringIO(), force_terminal=True, width=100, color_system=None, emoji=False)
    with view(console) as made:
        assert isinstance(made, Terminal)
        made.say(f"found {IPV6}")
        made.show(ledger(), Doing.OPENING, 0.5)

    assert isinstance(console.file, StringIO)
    told = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", console.file.getvalue())
    rows = {line[:25].strip(): line[25:].split() for line in told.replace("\r", "").splitlines()}
    assert f"found {IPV6}" in told
    assert rows[IPV6] == ["2,000", "1,227", "0/s", "261", "5", "7"]
    assert rows["worker b:7100 lost"][:3] == ["1,000", "was", "600"]
    assert rows["target t:7200"][:2] == ["3,000", "1,200"]
    assert "opening" in told


def test_a_terminal_names_the_slowest_of_several_sources() -> None:
    made, console = ledger(), Console(file=StringIO(), force_terminal=True, width=140, color_system=None, emoji=False)
    sources = (
        SourceLatency(HEARTBEAT, "10.0.0.1", 900, 70, 90, 120),
        SourceLatency(CONNECT, "10.0.0.1", 900, 500, 900, 1_200),
        SourceLatency(CONNECT, "10.0.0.7", 100, 600, 12_000, 30_000),
    )
    with view(console) as shown:
        for number, doing in ((1, Doing.OPENING), (2, Doing.HOLDING)):
            made.take(made.workers[0], Sample(Phase.OPENING, sources=sources[: number + 1]))
            shown.show(made, doing, 0.5)

    assert isinstance(console.file, StringIO)
    first, second = console.file.getvalue().split("holding", 1)
    assert "slowest" not in first
    assert "slowest connects from 10.0.0.7 (p99 12 ms), slowest heartbeats from 10.0.0.1 (p99 90 us)" in second


def test_a_terminal_tells_the_latencies_of_each_of_several_workers() -> None:
    made, console = ledger(), Console(file=StringIO(), force_terminal=True, width=140, color_system=None, emoji=False)
    first_bytes = {FIRST_BYTE: {40_000: 1}}  # of heartbeats' answers, hence no latency of anything
    with view(console) as shown:
        for beats in ({7_000: 1}, {7_000: 1, 30_000: 1}):
            told = Sample(Phase.HOLDING, histograms={CONNECT: {12_000: 1}, HEARTBEAT: beats} | first_bytes)
            made.take(made.workers[0], told)
            shown.show(made, Doing.HOLDING, 0.5)

    assert isinstance(console.file, StringIO)
    seen = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", console.file.getvalue())
    rows = [line.split() for line in seen.replace("\r", "").splitlines()]
    assert "first byte" not in seen
    assert [row[-4:] for row in rows if row[:2] == IPV6.split()][-1] == ["12", "ms", "30", "ms"]


def test_a_rate_is_taken_between_looks_that_are_a_second_apart() -> None:
    rates = Rates()

    told = [
        rates.look("w", opened, now) for opened, now in [(0, 10.0), (100, 10.5), (3_000, 12.0), (9_000, 12.9), (9_000, 13.0)]
    ]

    assert told == [0.0, 0.0, 1_500.0, 1_500.0, 6_000.0]
    assert rates.look("another", 5, 13.0) == 0.0


@pytest.mark.parametrize(
    ("now", "progress", "told", "reason"),
    [
        (110.0, 0.5, "10 s left", "as long again"),
        (130.0, 0.25, "1 min 30 s left", "three times as long"),
        (110.0, 0.01, "", "too early to say"),
        (110.0, 0.0, "", "nothing is known"),
        (110.0, 1.0, "", "done"),
    ],
)
def test_the_time_that_is_left_follows_from_the_progress(now: float, progress: float, told: str, reason: str) -> None:
    time_left = TimeLeft()
    time_left.is_new(Doing.HOLDING, 100.0, 0.0)

    assert time_left.text(now, progress) == told, reason


def test_of_a_run_that_is_taken_over_the_time_left_follows_from_what_came_since() -> None:
    time_left = TimeLeft()
    time_left.is_new(Doing.HOLDING, 100.0, 0.5)

    assert [time_left.text(now, progress) for now, progress in ((100.0, 0.5), (110.0, 0.75))] == ["", "10 s left"]


def test_what_nobody_knows_the_length_of_has_no_share_done() -> None:
    assert lines((Doing.COMPARING, None)) == ["comparing, 1,227 of 3,000 established, 5 failed, 7 dropped, 1 of 3 nodes lost"]


def test_a_dumb_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with view(Console(file=StringIO(), force_terminal=True)) as shown:
        assert isinstance(shown, Lines)


def test_a_narrow_terminal_breaks_the_names_of_nodes_and_cuts_none() -> None:
    console = Console(file=StringIO(), force_terminal=True, width=60, color_system=None, emoji=False)
    with view(console) as shown:
        shown.show(ledger(), Doing.OPENING, 0.5)

    assert isinstance(console.file, StringIO)
    assert "…" not in console.file.getvalue()
