"""The summary for people: a table of the results, one of the nodes, and the verdict with its reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from c1m.coordinator.ledger.latency_kinds import CONNECT, FIRST_BYTE, HEARTBEAT, LABELS, shown
from c1m.coordinator.results.slow_sources import distribution_of, measured_of
from c1m.coordinator.spec.metrics import find
from c1m.coordinator.summary.codec import instant
from c1m.coordinator.summary.latencies import LatencyFigures, NodeSource, SourcesSummary
from c1m.coordinator.summary.nodes import LossSummary, TargetSummary, WorkerSummary
from c1m.coordinator.summary.summary import Acceptance, Figures, JudgementSummary, Summary, TakeoverSummary, VerdictName
from c1m.coordinator.summary.timeline import TimelineSummary
from c1m.coordinator.summary.traffic import HeartbeatResults, StageSummary, StormSummary
from c1m.measure.tally import COUNTERS, MAPS, NUMBERS, Tally, maps_of, numbers_of
from c1m.text.units import format_bytes, format_duration, format_rate

from .format import count, counts, duration, microseconds, percentiles
from .memory_tables import memory_of_nodes
from .timeline_chart import curves

COLOURS = {VerdictName.PASSED: "green", VerdictName.FAILED: "red"}
OTHER_COLOUR = "yellow"

MOST_SOURCES = 4  # in one row; the summary as JSON has more
MOST_NODES = 30  # workers with a row of their own: a screen has no more, and a thousand take seconds to lay out


def print_report(summary: Summary, console: Console) -> None:
    """Print the report of a finished run, made from its JSON summary, on the console. Returns nothing."""
    console.print(Group(*parts(summary, console)))


def parts(summary: Summary, console: Console) -> list[RenderableType]:
    """Return all texts, tables and charts of the report on a run, in the order in which they are printed."""
    return [
        *([] if summary.verdict is VerdictName.REFUSED else measured(summary, console)),  # a refused run has measured nothing
        verdict_line(summary),
        *(f"  - {escape(reason)}" for reason in [*summary.reasons, *journal_notice(summary)]),
        *(f"  note: {escape(note)}" for note in summary.notes),
    ]


def measured(summary: Summary, console: Console) -> list[RenderableType]:
    """Return the tables and the chart of what a run measured."""
    shown: list[RenderableType] = [results(summary)]
    if summary.figures.workers:
        shown.append(nodes(summary.figures))
    return [*shown, *picture(summary.timeline, console), *memory_of_nodes(summary), ""]


def journal_notice(summary: Summary) -> list[str]:
    """Return a sentence if the journal of the run ends before the run did, unless the summary's reasons include it already."""
    kept = summary.journal
    if kept is None or kept.complete or kept.reason in summary.reasons:
        return []
    until = instant(kept.ends_at) if kept.ends_at else "its beginning"
    return [f"c1m-coord show has the run until {until} only: {kept.reason}"]


def results(summary: Summary) -> Table:
    """Return the table of results."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim")
    table.add_column()
    for name, value in rows(summary):
        table.add_row(name, escape(value))
    return table


def rows(summary: Summary) -> list[tuple[str, str]]:
    """Return the results of a run as pairs of label and text, in the order in which people ask for them."""
    figures = summary.figures
    return [
        ("run", summary.run_id),
        *(("taken over", takeover(each)) for each in summary.takeovers),
        ("planned", count(figures.planned)),
        ("established", f"{count(figures.established_peak)}, at the end of the hold {count(figures.established_at_hold_end)}"),
        *(("lost", loss(each)) for each in summary.losses),
        *turnover(summary),
        *labelled(figures.counts),
        *troubled(figures.workers),
        ("opened in", ramp(figures)),
        *([("stages", stages(figures.stages))] if followed(summary) else []),
        ("closed in", duration(figures.teardown_seconds)),
        *latencies(summary),
        *traffic(figures),
        *handshakes(figures),
        *counted(figures),
        *(("required", required(judgement)) for judgement in summary.criteria),
    ]


def labelled(counted: Tally) -> list[tuple[str, str]]:
    """Return a row for each counter that has a label in the table of counters, those by name first."""
    shown = {name: counter.label for name, counter in COUNTERS.items() if counter.label}
    by_name = [(shown[name], counts(found)) for name, found in zip(MAPS, maps_of(counted), strict=True) if name in shown]
    numbers = [(shown[name], count(found)) for name, found in zip(NUMBERS, numbers_of(counted), strict=True) if name in shown]
    return by_name + numbers


def latencies(summary: Summary) -> list[tuple[str, str]]:
    """Return the rows on connect latency."""
    figures, spec = summary.figures, summary.spec
    result = [("connect latency", percentiles(figures.connect_latency_us))]
    if spec["rate_per_second"] or spec["ramp_seconds"] or followed(summary):
        # Without a pace a connect is due when it is called, so this would be the same.
        result.append(("... from when due", percentiles(figures.connect_latency_from_due_us)))
    return result + by_source(figures.sources, CONNECT)


def traffic(figures: Figures) -> list[tuple[str, str]]:
    """Return the rows on what was sent and received over the connections, and on their ages when they were dropped."""
    result = []
    if figures.heartbeats:
        result += [("heartbeats", heartbeats(figures.heartbeats)), ("heartbeat RTT", percentiles(figures.heartbeat_rtt_us))]
        result += by_source(figures.sources, HEARTBEAT)
    if probing := figures.keepalive:
        result.append(("keepalive", f"{count(probing.probes_sent)} probes, {probing.timed_out:,} connections timed out"))
    if pushed := figures.pushes:
        both = f"{pushed.sent:,} sent by the target, {pushed.received:,} received by the clients"
        result.append(("pushes", both + (f", {pushed.held_back:,} held back" if pushed.held_back else "")))
    if figures.counts.bytes_sent or figures.counts.bytes_received:
        both = f"{count(figures.counts.bytes_sent)} sent by the clients, {count(figures.counts.bytes_received)} received"
        result.append(("bytes", both))
    if figures.first_byte_us.count and not figures.heartbeats:
        result.append(("first byte", percentiles(figures.first_byte_us)))
        result += by_source(figures.sources, FIRST_BYTE)
    if figures.alive_after_us.count:
        result.append(("dropped at age", percentiles(figures.alive_after_us)))
    return result


def handshakes(figures: Figures) -> list[tuple[str, str]]:
    """Return the rows on SYNs that were sent again, and on what the target accepted."""
    steps, target = figures.syn_retransmissions, figures.target
    took = ((steps.took_1_seconds, 1), (steps.took_3_seconds, 3), (steps.took_7_seconds, 7))
    again = ", ".join(f"{number:,} took {seconds} s or more" for number, seconds in took if number)
    result = [("SYNs sent again", again)] if again else []
    result.append(("accepted", count(target.accepted if target else None)))
    if target and target.accept_delay_us.count:
        result.append(("accept delay", f"{percentiles(target.accept_delay_us)} (the longest of each batch)"))
    return result


def counted(figures: Figures) -> list[tuple[str, str]]:
    """Return the rows on what each side counted; nothing if no counts were compared."""
    if figures.reconciliation is None:
        return []
    found = figures.reconciliation.at_hold_end
    sides = (
        f"clients {count(found.client_established)}, their kernels {count(found.client_kernel_established)}; "
        f"acceptors {count(found.target_open)}, their kernel {count(found.kernel_established)}"
    )
    return [("counted", sides), ("reconciled", "; ".join(found.explanation))]


def takeover(found: TakeoverSummary) -> str:
    """Return a text that says when another coordinator took the run over, and for which time there are no samples."""
    begin, end = duration(found.silent_from_seconds), duration(found.silent_to_seconds)
    return f"at {instant(found.at)}; no samples from {begin} to {end} after the start"


def required(judgement: JudgementSummary) -> str:
    """Return a text on one requirement of the user: the criterion, whether it was met, and the value that decided."""
    shown = "unknown" if judgement.value is None else find(judgement.figure).format(judgement.value)
    return f"{judgement.criterion}: {'met' if judgement.met else 'not met'}, {shown}"


def followed(summary: Summary) -> bool:
    """Return True if the run followed stages, given at the start or by a retarget."""
    return bool(summary.spec["stage"] or summary.retargets)


def stages(found: Sequence[StageSummary]) -> str:
    """Return a text that lists each stage of the run and when it was reached."""
    return ", ".join(
        f"{stage.total:,} " + ("not reached" if stage.reached_seconds is None else f"at {duration(stage.reached_seconds)}")
        for stage in found
    )


def loss(found: LossSummary) -> str:
    """Return a lost node, and which workers took over its share."""
    when = "before the start" if found.at_seconds is None else f"after {duration(found.at_seconds)}"
    share = "" if found.share is None else f", with a share of {count(found.share)}"
    return f"{found.node}, {when}{share}" + "".join(
        f", {count(taken)} of it taken over by {name}" for name, taken in found.taken_by.items()
    )


def troubled(workers: Sequence[WorkerSummary]) -> list[tuple[str, str]]:
    """Return a row (label, text) that names the source addresses with slow or failed handshakes.

    The list is empty if there are none.
    """
    found = [item for worker in workers for item in worker.troubled_sources.items()]
    named = [f"{source} ({had.slow:,} slow, {had.failed:,} failed)" for source, had in found]
    return (
        [("slow or failed", ", ".join(named[:MOST_SOURCES]) + (", ..." if len(named) > MOST_SOURCES else ""))] if named else []
    )


def by_source(sources: SourcesSummary, kind: str) -> list[tuple[str, str]]:
    """Return rows (label, text) on how the p99 of one kind of latency differs between source addresses, and the slowest ones.

    The list is empty if there are fewer than two source addresses.
    """
    spread, worst = distribution_of(sources, kind)
    if spread.count < 2:
        return []
    low, middle, high = (microseconds(value) for value in (spread.min, spread.p50, spread.max))
    spread_row = [("... by source", f"p99 of {spread.count:,} from {low} to {high}, median {middle}")]
    slowest = [source for source in worst if source.row.established][:MOST_SOURCES]
    if low == high and all(measured_of(source.row, kind).count for source in slowest):
        return spread_row
    of_nodes = len({source.node for source in worst}) > 1
    named = [source_text(source, kind) + (f" on {source.node}" if of_nodes else "") for source in slowest]
    return [*spread_row, ("slowest sources", ", ".join(named))]


def source_text(source: NodeSource, kind: str) -> str:
    """Return a text with a source address and its p99 of one kind of latency."""
    row, measured = source.row, measured_of(source.row, kind)
    if measured.spread.p99_us is None:
        return f"{row.source} (nothing over {row.established:,} connections)"
    failed = f", {row.failed:,} failed" if row.failed and kind == CONNECT else ""
    return f"{row.source} (p99 {microseconds(measured.spread.p99_us)} of {measured.count:,}{failed})"


def nodes(figures: Figures) -> Table:
    """Return the table of a run's nodes: connections, processes, memory and CPU.

    If there are several workers, it also has the latencies of each. Of very many it has those that are lost, and the first.
    """
    workers = figures.workers
    kinds = shown([kind for kind in LABELS if latency_of(figures, kind).count]) if len(workers) > 1 else []
    table = Table(box=None, pad_edge=False, header_style="dim")
    columns = (f"{LABELS[kind]} p99" for kind in kinds)
    for column in ("node", "planned", "held", "shards", "user memory", "a connection", "CPU", *columns):
        table.add_column(column, justify="left" if column == "node" else "right")
    table.columns[0].overflow = "fold"  # the ends of names distinguish them
    chosen = first_of(workers)
    for worker in chosen:
        row = node_row(worker, worker.planned, worker.established_at_hold_end, worker.shards)
        table.add_row(*row, *(p99(latency_of(worker, kind)) for kind in kinds))
    if left := len(workers) - len(chosen):
        table.add_row(f"{left:,} more: see --json")
    if target := figures.target:
        table.add_row(*node_row(target, figures.planned, server_held(target), target.acceptors))
    return table


def first_of(workers: Sequence[WorkerSummary]) -> Sequence[WorkerSummary]:
    """Return up to MOST_NODES workers: those that are lost before others, and in the order of the run."""
    if len(workers) <= MOST_NODES:
        return workers
    chosen = {worker.node for worker in sorted(workers, key=lambda worker: not worker.loss.lost)[:MOST_NODES]}
    return [worker for worker in workers if worker.node in chosen]


def latency_of(found: Figures | WorkerSummary, kind: str) -> LatencyFigures:
    """Return one kind of latency of the run or of a worker."""
    return {CONNECT: found.connect_latency_us, FIRST_BYTE: found.first_byte_us, HEARTBEAT: found.heartbeat_rtt_us}[kind]


def server_held(target: TargetSummary) -> int | None:
    """Return how many connections the server held at the end of the hold; None if unknown.

    Its acceptors count them; for a server that is not c1m's, its kernel does.
    """
    held = target.open_at_hold_end
    return target.host.kernel.established_at_hold_end if held is None and not target.acceptors else held


def node_row(node: WorkerSummary | TargetSummary, planned: int | None, held: int | None, processes: int | None) -> list[str]:
    """Return the texts of a node's row in the table of nodes, without latencies."""
    used = node.footprint
    return [
        escape(node.node) + (" [red]lost[/red]" if node.loss.lost else ""),
        count(planned),
        count(held),
        count(processes),
        format_bytes(used.pss_bytes) if used.pss_bytes is not None else "unknown",
        f"{used.pss_bytes_per_connection:,.0f} B" if used.pss_bytes_per_connection is not None else "unknown",
        duration(used.cpu_seconds),
    ]


def p99(latency: LatencyFigures) -> str:
    """Return the p99 of a latency as text; empty if none was measured."""
    return microseconds(latency.p99) if latency.count else ""


def picture(timeline: TimelineSummary | None, console: Console) -> list[RenderableType]:
    """Return the chart of the run over time, as wide as the console; an empty list if there is nothing to draw."""
    lines = curves(timeline, console.width, ascii_only=console.options.ascii_only)
    return ["", Text("\n".join(lines), no_wrap=True)] if lines else []


def verdict_line(summary: Summary) -> str:
    """Return the verdict of the run in its colour, with the exit code, as a line of markup."""
    colour = COLOURS.get(summary.verdict, OTHER_COLOUR)
    unknown = summary.verdict is VerdictName.PASSED and summary.acceptance is Acceptance.UNKNOWN
    accepted = "; whether the server accepted the connections is unknown" if unknown else ""
    return f"[bold {colour}]{summary.verdict}[/bold {colour}] (exit code {summary.exit_code}){accepted}"


def ramp(figures: Figures) -> str:
    """Return a text on how long opening the connections took, and how many were opened per second."""
    if figures.ramp_seconds is None:
        return "unknown"
    rate = figures.connections_per_second
    return f"{format_duration(figures.ramp_seconds)}, {'unknown' if rate is None else format_rate(rate)}"


def heartbeats(found: HeartbeatResults) -> str:
    """Return a text on how many heartbeats were sent and answered, and how many went wrong in each way."""
    if found.answered is None:
        return f"{count(found.sent)} sent; clients do not wait for answers"
    ways: Mapping[str, int | None] = {
        "late": found.late,
        "missing": found.missing,
        "recovered": found.recovered,
        "wrong": found.wrong,
        "cut off": found.cut_off,
        "unasked bytes": found.unasked_bytes,
        "under way": found.under_way,
    }
    parts = [f"{count(found.sent)} sent", f"{count(found.answered)} answered"]
    return ", ".join([*parts, *(f"{number:,} {way}" for way, number in ways.items() if number)])


def turnover(summary: Summary) -> list[tuple[str, str]]:
    """Return rows (label, text) on replaced, reopened, away and half-closed connections and on storms.

    What did not occur in the run is left out.
    """
    figures, spec = summary.figures, summary.spec
    result = []
    if figures.counts.replaced or spec["lifetime"]:
        result.append(("replaced", count(figures.counts.replaced)))
    if (result or spec["reopen"]) and (off := figures.widest_off_schedule_through_hold) is not None:
        result.append(("off schedule", f"at most {count(off)} in the hold, those in flight among them"))
    if spec["reopen"]:
        result.append(("reopened", f"{count(figures.counts.reopened)}, still waiting {count(figures.waiting_at_hold_end)}"))
    if figures.away_at_hold_end:
        result.append(("away", f"{count(figures.away_at_hold_end)} at the end of the hold"))
    if figures.half_closed_at_hold_end:
        result.append(("half closed", f"{count(figures.half_closed_at_hold_end)} stayed when the server had closed its side"))
    if figures.half_closed_after_us.count:
        result.append(("half closed at age", percentiles(figures.half_closed_after_us)))
    return result + [(f"storm at {format_duration(storm.at_seconds)}", storm_text(storm)) for storm in figures.storms or ()]


def storm_text(storm: StormSummary) -> str:
    """Return a text on the connections that left in a storm: how many came back, how soon, and what hindered them."""
    parts = [f"{count(storm.dropped)} left, {count(storm.returned)} came back"]
    if storm.forgone:
        parts.append(f"{count(storm.forgone)} were not asked for any more, since the schedule fell")
    if storm.recovery_seconds is not None:
        parts.append(f"all were there after {format_duration(storm.recovery_seconds)}")
    elif storm.returned + storm.forgone < storm.dropped:
        parts.append("not all came back")
    if storm.slowest_connect_us is not None:
        parts.append(f"slowest connect {microseconds(storm.slowest_connect_us)}")
    if queues := storm.accept_queues:
        parts += [f"{events:,} {name}" for name, events in queues.items() if events] or ["accept queues never full"]
    return ", ".join(parts)
