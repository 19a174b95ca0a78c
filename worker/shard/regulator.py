"""The regulator: keeps a shard's open connections at what its schedule wants, each at its place in the plan."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from itertools import repeat
from random import Random

from c1m.measure.phase import CloseOrder
from c1m.schedule.schedule import NANOSECONDS, Arrival, Schedule
from c1m.worker.behaviours.seat_turnover import SeatTurnover
from c1m.worker.sockets.opener import Opener
from c1m.worker.sockets.reactor import Reactor
from c1m.worker.sockets.route_rotation import RouteRotation

from .assignment import ShardAssignment
from .leavers import AnyOf, Leavers, Oldest
from .pacer import ClosedLoop, Edge, OpenLoop, scattered, steady
from .stage_times import StageTimes

CLOSE_CHUNK = 64  # connections that a shard closes between two looks at the clock


class Regulator:
    """Opens and closes a shard's connections as its schedule wants, a chunk at each call.

    ``elapsed_ns`` are nanoseconds since the start of the run.
    """

    def __init__(self, assignment: ShardAssignment, opener: Opener, reactor: Reactor, chance: Random) -> None:
        self.assignment = assignment
        self.opener = opener
        self.reactor = reactor
        self.connections = opener.connections
        self.chance = chance
        self.rotation = RouteRotation(assignment.space, assignment.routes)
        self.course = self.first_course()
        self.stage_times = StageTimes(assignment.share, assignment.settings.schedule)
        self.departures: Leavers = Oldest() if assignment.settings.close_order is CloseOrder.OLDEST else AnyOf(chance)
        self.end_ns = 0 if assignment.settings.rushes else assignment.settings.schedule.end_ns
        self.start = 0.0
        self.seat_turnover: SeatTurnover | None = None

    def begin(self, start: float, seat_turnover: SeatTurnover | None) -> None:
        """Store the start of the run, on the monotonic clock, and the owner of the seats whose connections are replaced; None
        means that none are.
        """
        self.start = start
        self.seat_turnover = seat_turnover

    def join(self, elapsed_ns: int, reached: Mapping[int, int]) -> None:
        """Follow a schedule that began long before: what should be open is due now.

        ``reached`` has the stages that the run had reached, with their times, as in ``StageTimes``.
        """
        schedule = self.assignment.settings.schedule
        if not self.assignment.settings.rushes:
            scheduled = self.assignment.share.count(schedule.at(elapsed_ns))
            self.course = OpenLoop(iter(())).turn(self.edges(schedule, elapsed_ns), scheduled, elapsed_ns)
        self.stage_times.join(schedule, elapsed_ns, reached)

    # -- what is, and what should be

    @property
    def empty(self) -> int:
        """The number of seats whose connection is away or waits for another try."""
        return self.seat_turnover.seats.empty if self.seat_turnover else 0

    @property
    def surplus(self) -> int:
        """The number of connections that are open, in flight or away beyond what the schedule wants; negative if there are
        fewer.
        """
        connections, course = self.connections, self.course
        return connections.established + connections.in_flight + self.empty + course.waiting - course.scheduled

    @property
    def openable(self) -> int:
        """The number of connections that are due and can be opened now, within the limit of connects in flight and after the
        surplus is closed.
        """
        room = self.assignment.settings.most_in_flight - self.connections.in_flight
        return min(self.course.waiting - max(self.surplus, 0), room)

    def is_done(self, elapsed_ns: int) -> bool:
        """Return whether the shard has done everything that its schedule asked for by ``elapsed_ns``."""
        if elapsed_ns < self.end_ns or self.course.waiting or self.surplus > 0:
            return False
        return not self.connections.in_flight or (
            self.seat_turnover is not None and not self.seat_turnover.seats.is_first_in_flight()
        )

    def note(self, elapsed_ns: int) -> None:
        """Record the time of each stage of the schedule that has been reached by ``elapsed_ns``. Returns nothing."""
        if elapsed_ns >= self.stage_times.next_ns:
            self.stage_times.look(elapsed_ns, *self.turns(), self.connections.established + self.empty)

    def turns(self) -> tuple[int, int]:
        """Return how many connections were opened and how many were closed for the schedule, without those of turnover."""
        connections = self.connections
        if not self.seat_turnover:
            return connections.opened, connections.closed
        return connections.opened - self.seat_turnover.seats.arrived, connections.closed - self.seat_turnover.seats.vacated

    # -- up

    def open_chunk(self, chunk: int) -> None:
        leg = self.rotation.next_leg()
        assert leg, "what the schedule wants has a place in the plan"
        wanted = min(chunk, leg.wanted)
        leg.wanted -= wanted
        opened = self.opener.open(leg, wanted, self.due_times(wanted))
        if opened < wanted:  # the tuples ran out: every other port of the route is in use elsewhere
            self.opener.unplaced(leg, wanted - opened)

    def due_times(self, count: int) -> Iterator[float]:
        """Begin up to ``count`` openings, and return the times at which they were due, on the monotonic clock in seconds."""
        times = self.course.take(count)
        if not self.course.paced:
            return repeat(time.monotonic())
        return (self.start + when / NANOSECONDS for when in times)

    # -- down

    def advance(self, elapsed_ns: int) -> None:
        """Let the schedule advance to ``elapsed_ns``: count what is due, and close connections beyond what it wants."""
        self.course.advance(elapsed_ns)
        if self.surplus > 0:
            self.close_surplus()
        if self.connections.lost and not (self.seat_turnover and self.seat_turnover.backoff):
            self.reclaim()

    def close_surplus(self) -> None:
        """Close a chunk of the connections beyond what the schedule wants.

        A connection in flight is closed when it is established.
        """
        chosen = self.departures.choose(self.connections, min(self.surplus, CLOSE_CHUNK))
        for place in self.connections.close(chosen, reset=self.assignment.settings.resets):
            self.rotation.give_back(place)
        if self.seat_turnover and not self.connections.established:
            self.seat_turnover.forgo(max(self.surplus, 0))

    def reclaim(self) -> None:
        """Free the 4-tuples of lost connections, as far as the schedule does not count on them any more.

        A connection that failed or was dropped is not opened again, and keeps its place: it would be taken from another one.
        """
        lost = self.connections.lost
        for _ in range(len(lost) + min(self.surplus, 0)):
            self.rotation.give_back(lost.popleft())

    # -- the schedule

    def first_course(self) -> ClosedLoop | OpenLoop:
        if self.assignment.settings.rushes:
            return ClosedLoop(self.assignment.share.size)
        return OpenLoop(self.edges(self.assignment.settings.schedule))

    def edges(self, schedule: Schedule, since_ns: int = -1) -> Iterator[Edge]:
        if self.assignment.settings.arrival is Arrival.POISSON:
            return scattered(self.assignment.share, schedule, self.chance, since_ns)
        return steady(self.assignment.share, schedule, since_ns)

    def halt(self) -> None:
        self.course.halt()
        self.end_ns = 0

    def retarget(self, schedule: Schedule, kept: int, elapsed_ns: int) -> None:
        """Make the shard follow another schedule, whose first ``kept`` stages are those of the schedule before."""
        self.course.advance(elapsed_ns)
        if not self.connections.paced:
            self.begin_to_pace()
        scheduled = self.assignment.share.count(schedule.at(elapsed_ns))
        self.course = self.course.turn(self.edges(schedule, elapsed_ns), scheduled, elapsed_ns)
        self.stage_times.follow(schedule, kept)
        self.end_ns = schedule.end_ns

    def begin_to_pace(self) -> None:
        """Assign the open connections to routes, by the destinations that the kernel reports.

        Routes did not matter until now.
        """
        numbers = self.rotation.by_destination()
        legs = ((descriptor, numbers[destination]) for descriptor, destination in self.reactor.destinations())
        self.rotation.recount(self.connections.begin_to_pace(legs))
