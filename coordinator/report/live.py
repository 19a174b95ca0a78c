"""The view of a running run: a table that is redrawn on a terminal, otherwise a line now and then."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from c1m.coordinator.ledger.latency_kinds import LABELS, shown
from c1m.coordinator.ledger.ledger import Ledger
from c1m.coordinator.ledger.node_record import NodeRecord
from c1m.coordinator.ledger.timeline import Timeline
from c1m.measure.latency import percentile
from c1m.measure.source_latency import slowest_of_each_kind
from c1m.text.units import format_duration, format_rate

from .live_status import bulletin
from .timeline_chart import curves

LINE_SECONDS = 2.0  # between two lines where there is no terminal
PICTURE_SHARE = 0.05  # of the coordinator's time: 600 rows of ten hosts take 0.1 s to draw
RATE_SECONDS = 1.0  # over which a rate is taken


class Rates:
    """Connections opened per second, from the two newest states that are far enough apart."""

    def __init__(self) -> None:
        self.looks: dict[str, tuple[float, int]] = {}
        self.rates: dict[str, float] = {}

    def look(self, name: str, opened: int, now: float) -> float:
        then, before = self.looks.setdefault(name, (now, opened))
        if now - then >= RATE_SECONDS:
            self.rates[name] = (opened - before) / (now - then)
            self.looks[name] = (now, opened)
        return self.rates.get(name, 0.0)


class WorkerSlowness:
    """The p99 of each worker so far, computed again only when the worker has sent new latencies: it can take 0.1 ms each."""

    def __init__(self) -> None:
        self.looks: dict[tuple[str, str], tuple[Mapping[int, int], str]] = {}

    def look(self, entry: NodeRecord, kind: str) -> str:
        counts = entry.histograms.get(kind, {})
        if not counts:
            return ""
        known, told = self.looks.get((entry.name, kind), ({}, ""))
        if counts is not known:
            told = format_duration(percentile(counts, 99) / 1e6)
            self.looks[entry.name, kind] = counts, told
        return told


class TimeLeft:
    """How long the present step will take, from its progress since it was first seen: a run that is taken over is midway."""

    def __init__(self) -> None:
        self.doing = ""
        self.began, self.first = 0.0, 0.0

    def is_new(self, doing: str, now: float, progress: float | None) -> bool:
        if doing == self.doing:
            return False
        self.doing, self.began, self.first = doing, now, progress or 0.0
        return True

    def told(self, now: float, progress: float | None) -> str:
        if progress is None or not self.first + 0.01 < progress < 1:
            return ""
        return f"{format_duration(round((now - self.began) / (progress - self.first) * (1 - progress)))} left"


def slowest_told(ledger: Ledger) -> list[str]:
    """Return, for each kind of latency, the source address with the highest p99, where connections come from several."""
    slowest = slowest_of_each_kind(each for entry in ledger.workers for each in entry.slowest.values())
    if sum(len(entry.sources) for entry in ledger.workers) == len(slowest):
        return []
    return [
        f"slowest {LABELS[kind]}s from {slowest[kind].source} (p99 {format_duration(slowest[kind].p99_us / 1e6)})"
        for kind in shown(slowest)
    ]


def told_apart(ledger: Ledger) -> list[str]:
    """Return the kinds of latency that are shown for each worker, where there are several workers."""
    workers = ledger.workers
    return shown({kind for entry in workers for kind, counts in entry.histograms.items() if counts}) if len(workers) > 1 else []


class TimelinePicture:
    """The picture of the timeline so far. It is redrawn when there is a new row, for at most a share of the time."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.next = 0.0
        self.drawn: tuple[float, int] | None = None  # newest row, width
        self.text = Text()

    def of(self, timeline: Timeline) -> Text:
        wanted = (timeline.rows[-1][0], self.console.width) if timeline.rows else None
        began = time.monotonic()
        if wanted != self.drawn and began >= self.next:
            lines = curves(timeline.to_summary(), self.console.width, ascii_only=self.console.options.ascii_only)
            self.drawn, self.text = wanted, Text("\n".join(lines), no_wrap=True)
            self.next = time.monotonic() + (time.monotonic() - began) / PICTURE_SHARE
        return self.text


class Terminal:
    """A table that is redrawn in place."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.picture = TimelinePicture(live.console)
        self.rates = Rates()
        self.slownesses = WorkerSlowness()
        self.time_left = TimeLeft()

    def say(self, sentence: str) -> None:
        self.live.console.print(sentence, markup=False)

    def show(self, ledger: Ledger, doing: str, progress: float | None) -> None:
        now = time.monotonic()
        self.time_left.is_new(doing, now, progress)
        table = Table(box=None, pad_edge=False, header_style="dim")
        following, kinds = ledger.has_stages, told_apart(ledger)
        columns = ("node", "planned", *(["scheduled"] if following else []), "open", "rate", "in flight", "failed", "dropped")
        for column in (*columns, *(f"{LABELS[kind]} p99" for kind in kinds)):
            table.add_column(column, justify="left" if column == "node" else "right", overflow="fold")
        for entry in ledger.entries:
            table.add_row(*self.row(entry, now, kinds, following=following))
        bar = Table.grid(padding=(0, 1))
        left = self.time_left.told(now, progress)
        bar.add_row(f"[bold]{doing}[/bold]", "" if progress is None else ProgressBar(1.0, progress, 40), left)
        below = [Text(", ".join(told)) for told in (bulletin(ledger), slowest_told(ledger)) if told]
        self.live.update(Group(table, bar, *below, self.picture.of(ledger.timeline)))

    def row(self, entry: NodeRecord, now: float, kinds: Sequence[str], *, following: bool) -> list[str]:
        """Return one row of the table. ``following``: with what the schedule asks for now, which only workers know, like
        latencies.
        """
        tally = entry.sample.tally
        return [
            escape(entry.name) + (" [red]lost[/red]" if entry.lost else ""),
            f"{entry.planned:,}",
            *([told(None if entry.lost else entry.sample.scheduled)] if following else []),
            f"was {tally.open:,}" if entry.lost else f"{tally.open:,}",
            "" if entry.lost else format_rate(self.rates.look(entry.name, tally.opened, now)),
            "" if entry.lost else f"{tally.in_flight:,}",
            f"{sum(tally.failed.values()):,}",
            f"{sum(tally.dropped.values()):,}",
            *(self.slownesses.look(entry, kind) for kind in kinds),
        ]


class Lines:
    """A line when the run enters another step, and periodically."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.told = 0.0
        self.rates = Rates()
        self.time_left = TimeLeft()

    def say(self, sentence: str) -> None:
        self.console.print(sentence, markup=False, highlight=False, soft_wrap=True)

    def show(self, ledger: Ledger, doing: str, progress: float | None) -> None:
        now = time.monotonic()
        tally = ledger.tally
        rate = self.rates.look("all", tally.opened, now)
        if not self.time_left.is_new(doing, now, progress) and now - self.told < LINE_SECONDS:
            return
        self.told = now
        wanted = ledger.scheduled or 0 if ledger.has_stages else ledger.planned
        told = [
            doing if progress is None else f"{doing} {progress:.0%}",
            f"{ledger.established:,} of {wanted:,} {'scheduled' if ledger.has_stages else 'established'}",
            f"{sum(tally.failed.values()):,} failed",
            f"{sum(tally.dropped.values()):,} dropped",
            f"{len(ledger.losses)} of {len(ledger.entries)} nodes lost" if ledger.losses else "",
            *bulletin(ledger),
            format_rate(rate) if doing == "opening" else "",
            self.time_left.told(now, progress),
        ]
        self.say(", ".join(item for item in told if item))


def told(count: int | None) -> str:
    return "" if count is None else f"{count:,}"


@contextmanager
def view(console: Console) -> Iterator[Terminal | Lines]:
    """Return the view that suits stderr. A dumb terminal (TERM=dumb) cannot redraw in place."""
    if not console.is_terminal or console.is_dumb_terminal:
        yield Lines(console)
        return
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        yield Terminal(live)
