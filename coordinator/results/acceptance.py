"""Whether the server accepted the connections that clients hold, and how that is known. Pure.

A kernel completes handshakes for a server that never calls accept(): to its client, a connection in an accept queue looks like
one that is served. It counts as accepted if the server or an observer beside it says so, or if the server has sent a byte.
"""

from __future__ import annotations

from c1m.coordinator.summary.summary import Acceptance

from .outcome import Outcome


def acceptance(outcome: Outcome) -> Acceptance:
    """Return how it is known that the server accepted the connections of a run; UNKNOWN if it is not."""
    ledger = outcome.ledger
    if ledger is None or not ledger.tally.opened:
        return Acceptance.UNKNOWN
    if ledger.accepting:
        return Acceptance.COUNTED
    if ledger.target and observed(outcome, ledger.target.name):
        return Acceptance.OBSERVED
    return Acceptance.ANSWERED if answered(outcome) >= ledger.tally.opened else Acceptance.UNKNOWN


def observed(outcome: Outcome, observer: str) -> bool:
    """Return whether the observer counted the accept queues of the server at the end of the hold."""
    hold_end = outcome.hold_end
    inspection = hold_end.inspections.get(observer) if hold_end else None
    return bool(inspection and inspection.in_accept_queues is not None)


def answered(outcome: Outcome) -> int:
    """Return on how many connections of the run the server has sent at least one byte."""
    return sum(outcome.ledger.histogram("first_byte_us").values()) if outcome.ledger else 0


def acceptance_note(outcome: Outcome) -> list[str]:
    """Return a sentence on connections that may wait in accept queues, with the cure; nothing if all are known to be accepted.

    Without an endpoint a run has a c1m-target, whose loss is a reason of its own.
    """
    endpoint = outcome.spec.endpoint
    if endpoint is None or outcome.ledger is None or not outcome.ledger.tally.opened:
        return []
    if acceptance(outcome) is not Acceptance.UNKNOWN:
        return []
    opened, heard = outcome.ledger.tally.opened, answered(outcome)
    sentence = (
        f"whether the server accepted its connections is unknown: it has sent a byte on {heard:,} of {opened:,}, and a kernel "
        f"completes handshakes by itself; to count them, start c1m-target observe --port {endpoint.ports} on the server's "
        f"machine and name it with --target"
    )
    return [sentence]
