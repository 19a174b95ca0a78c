"""The verdict on a run, and the reasons for it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from c1m.coordinator.diagnosis.diagnosis import sentences
from c1m.coordinator.ledger.ledger import Ledger
from c1m.coordinator.spec.requirements import Judgement
from c1m.coordinator.summary.summary import VerdictName
from c1m.measure.tally import Tally

from . import heartbeats as liveness
from . import storm_results
from .acceptance import acceptance_note
from .comparison import Comparison
from .outcome import Outcome
from .replacements import came_back, mended


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a run: its name, the exit code of the command, and why."""

    name: VerdictName
    exit_code: int
    reasons: tuple[str, ...]  # what failed or degraded the run
    notes: tuple[str, ...] = ()  # what a person should know besides


def verdict(outcome: Outcome, required: Iterable[Judgement] = ()) -> Verdict:
    """Return the verdict of a run with its exit code and all reasons. The gravest event decides the exit code.

    A diagnosed cause is a reason if the run did not pass. If the run passed all the same, the cause is a note.
    """
    ledger = outcome.ledger
    criteria = [*failed_criteria(outcome), *(judgement.reason for judgement in required if not judgement.met)]
    troubles = list(dict.fromkeys([*(ledger.troubles if ledger else []), *outcome.troubles]))
    causes = sentences([finding.cause for finding in outcome.diagnosis])  # a cause alone does not fail a run
    made_good = [loss.sentence() for loss in (ledger.losses.values() if ledger else ()) if loss.made_good]
    if ledger and came_back(ledger, outcome.hold_end):
        made_good += mended(ledger)
    elif ledger:
        troubles += mended(ledger)
    seen = [*causes, *outcome.limit_usages.sentences]
    reasons = tuple(dict.fromkeys([*troubles, *criteria, *made_good, *seen]))
    notes = ledger.any_of(lambda entry: entry.saturation.sentence) if ledger else []
    notes += liveness.notes(ledger.tally, outcome.spec.beating) if ledger else []
    notes += acceptance_note(outcome)
    if outcome.cut_off:
        return Verdict(VerdictName.INCOMPLETE, 5, tuple(dict.fromkeys((outcome.cut_off, *troubles, *causes))))
    if outcome.refusals:
        return Verdict(VerdictName.REFUSED, 3, outcome.refusals)
    if outcome.interrupted:
        return Verdict(VerdictName.INTERRUPTED, 130, ("interrupted by the operator", *troubles, *causes))
    if troubles:
        return Verdict(VerdictName.DEGRADED, 4, reasons, tuple(notes))
    if criteria:
        return Verdict(VerdictName.FAILED, 1, reasons, tuple(notes))
    return Verdict(VerdictName.PASSED, 0, tuple(made_good), tuple(dict.fromkeys([*seen, *notes])))


def failed_criteria(outcome: Outcome) -> list[str]:
    """Return a sentence for each rule that the run broke: reached, held, reconciled, alive."""
    ledger, hold_end = outcome.ledger, outcome.hold_end
    if ledger is None or hold_end is None:
        return ["the run ended before its hold did"]
    if outcome.spec.turnover:
        broken = not_filled(ledger.wanted_at_end, hold_end, ledger.tally)
        broken += storm_results.failures(outcome.spec.storm, ledger.waves)
    elif ledger.losses or any(entry.sample.replacements for entry in ledger.entries):
        # Connections of lost workers are not counted, and those of dead processes are opened again: compare with the
        # schedule, not with what was ever opened.
        broken = not_filled(ledger.wanted_at_end, hold_end, ledger.tally)
    else:
        broken = [*not_reached(ledger), *not_held(ledger, hold_end)]
    return [*broken, *not_reconciled(outcome, hold_end), *not_alive(outcome, ledger)]


def not_reached(ledger: Ledger) -> list[str]:
    """Return a sentence if fewer connections were established than the schedule asked for."""
    opened = ledger.tally.opened
    if opened >= ledger.due:
        return []
    return [f"{opened:,} of {ledger.due:,} connections were established; failed: {causes_of(ledger.tally.failed)}"]


def not_held(ledger: Ledger, hold_end: Comparison) -> list[str]:
    """Return a sentence if connections that the run did not close itself were not held to the end."""
    left_open = ledger.tally.opened - hold_end.closed
    if hold_end.established >= left_open:
        return []
    held = f"{hold_end.established:,} of {left_open:,} established connections were held to the end"
    quoted = f"; the server said: {ledger.heard}" if ledger.heard else ""
    return [f"{held}{stayed(hold_end)}; dropped: {causes_of(ledger.tally.dropped)}{quoted}"]


def not_reconciled(outcome: Outcome, hold_end: Comparison) -> list[str]:
    """Return a sentence for each difference between clients and server: at the end of the hold, at rests, and by the probe."""
    found = [] if hold_end.reconciliation.sound else list(hold_end.reconciliation.explanation)
    for rest, comparison in outcome.rests:
        if not comparison.reconciliation.sound:
            found += [f"while the schedule stood at {rest.total:,}: {each}" for each in comparison.reconciliation.explanation]
    if (probed := outcome.probed) and probed.ghosts:
        found.append(
            f"{probed.ghosts:,} of {probed.connections:,} probed connections were answered with a RST: the server's kernel "
            f"does not know them"
        )
    return found


def not_alive(outcome: Outcome, ledger: Ledger) -> list[str]:
    """Return a sentence for each failure of heartbeats and server push, and for bytes that differ between the sides."""
    failures: list[str] = []
    if wanted := outcome.spec.beating:
        failures += liveness.complaints(ledger.tally.heartbeats, wanted)
    if wanted or outcome.spec.server_push:
        failures += liveness.push_complaints(ledger.tally.pushes)
        if ledger.accepting and not ledger.losses:  # bytes can be compared only if both sides are known in full
            failures += liveness.bytes_differ(ledger.tally, ledger.accepting.sample.tally)
    return failures


def not_filled(goal: int, at_end: Comparison, tally: Tally) -> list[str]:
    """Return a sentence if fewer connections were open or away at the end than ``goal``, the schedule's total at its end.

    ``tally``: of the whole run.
    """
    if at_end.established + at_end.away >= goal:
        return []
    away = f", {at_end.away:,} more were away as the run asked" if at_end.away else ""
    waiting = f"; {at_end.waiting:,} were waiting to be reopened" if at_end.waiting else ""
    lost = f"dropped: {causes_of(tally.dropped)}; failed: {causes_of(tally.failed)}"
    held = f"{at_end.established:,} of {goal:,} connections were held at the end of the hold"
    return [f"{held}{away}{waiting}{stayed(at_end)}; {lost}"]


def stayed(at_end: Comparison) -> str:
    """Return a clause on how many connections clients kept after the server had closed its side; empty if none."""
    return f"; {at_end.half_closed:,} stayed after the server had closed its side" if at_end.half_closed else ""


def causes_of(counts: Mapping[str, int]) -> str:
    """Return counts by cause as text; "none" if there are none."""
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items())) or "none"
