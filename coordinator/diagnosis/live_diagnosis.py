"""Live diagnosis: gives the progress and the evidence of a run's ledger to its diagnosis. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import isqrt

from c1m.coordinator.ledger.doing import Role
from c1m.coordinator.ledger.evidence import Evidence
from c1m.coordinator.ledger.ledger import Ledger
from c1m.coordinator.ledger.node_record import NodeRecord
from c1m.measure.sample import Host, Sample
from c1m.schedule.schedule import Arrival

from .diagnosis import Diagnosis, Finding
from .progress import Progress


class LiveDiagnosis:
    """Connects the diagnosis with the ledger of a run that goes on.

    ``began`` is when the run started, on the same clock as the ``now`` of all methods.
    """

    def __init__(
        self,
        ledger: Ledger,
        host_of: Callable[[str], Host | None],
        arrival: Arrival,
        began: float,
        *,
        asked_to_drop: bool = False,
        found: Iterable[Finding] = (),
    ) -> None:
        """Start the diagnosis of a run. ``host_of`` returns the host of a node, or None if it is unknown.

        ``asked_to_drop``: the run has the target drop connections, so drops are no trouble. ``found``: findings of an earlier
        coordinator of the run.
        """
        self.ledger = ledger
        self.host_of = host_of
        self.arrival = arrival
        self.began = began
        self.asked_to_drop = asked_to_drop
        self.diagnosis = Diagnosis(found)

    def look(self, now: float) -> list[str]:
        """Look for causes of trouble in the newest samples.

        Returns sentences for the operator on stalls and new causes; most of the time an empty list.
        """
        return self.diagnosis.take(self.moment(now), self.ledger.planned, lambda since: self.scene(since, now))

    def conclude(self, now: float, scene: Sequence[Evidence], *, unaccepted: bool) -> list[Finding]:
        """Return all findings of the run. Called once nothing more is opened.

        ``scene``: the evidence of all nodes since before the first opening. ``unaccepted``: clients hold connections that the
        server has not accepted.
        """
        self.diagnosis.growth.take(self.moment(now))
        return self.diagnosis.conclude(scene, unaccepted=unaccepted)

    def moment(self, now: float) -> Progress:
        """Return the summed connection counts of all workers that are not lost, and what the schedule asks of them now."""
        entries = [entry for entry in self.ledger.workers if not entry.lost]
        tally = self.ledger.there.tally
        return Progress(
            at=now - self.began,
            scheduled=sum(self.scheduled(entry.sample) for entry in entries),
            open=tally.open,
            in_flight=tally.in_flight,
            opened=tally.opened,
            failed=sum(tally.failed.values()),
            dropped=sum(tally.dropped.values()),
            reopened=tally.reopened,
            away=tally.away,
            asked_to_drop=self.asked_to_drop,
            paced=self.arrival is not Arrival.CLOSED_LOOP and self.ledger.schedule.steepest > 0,
        )

    def scheduled(self, sample: Sample) -> int:
        """Return how many connections a worker should have open now.

        For a worker that stopped opening, or that reports no such count, it is the number that it has open. Random arrivals may
        lag behind the schedule by chance, so that less is asked of them.
        """
        tally = sample.tally
        if sample.scheduled is None or sample.halted:
            return tally.open
        if self.arrival is Arrival.POISSON and sample.elapsed_ns < self.ledger.schedule.end_ns:
            # Random arrivals deviate from the schedule by sqrt(scheduled) at most; three times that is not chance.
            return max(sample.scheduled - 3 * isqrt(sample.scheduled) - 1, 0)
        return sample.scheduled

    def scene(self, since: float | None, now: float) -> Sequence[Evidence]:
        """Return the evidence of each node since ``since`` seconds after the start; None: since before the first opening."""
        return list(self.evidences(since, now))

    def evidences(self, since: float | None, now: float) -> Iterator[Evidence]:
        """Yield the evidence of each node, as ``scene`` returns it: it takes 0.1 ms a node."""
        start = None if since is None else self.began + since
        for entry in self.ledger.entries:
            yield self.evidence(entry, start, now)

    def evidence(self, entry: NodeRecord, since: float | None, now: float) -> Evidence:
        """Return what is known of one node since the time ``since``; None: since the start of the run.

        ``since`` is on the same clock as ``now``.
        """
        host = self.host_of(entry.name)
        return entry.trail.evidence(
            node=entry.name,
            role=Role.TARGET if entry is self.ledger.target else Role.WORKER,
            host=host.namespace if host else entry.name,
            facts=host.facts if host else {},
            lost=entry.lost,
            since=since,
            silent_seconds=now - max(entry.trail.heard_at, self.began),
        )
