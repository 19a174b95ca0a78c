"""Bottlenecks: how many connections each limit alone allows a fleet, and the smallest change that allows more. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from c1m.limits.assessment import command, several, wanted
from c1m.limits.limit import Limit
from c1m.limits.table import BY_NAME
from c1m.measure.sample import Host
from c1m.text.units import format_bytes

from .capacity import ENDLESS, TargetFacts, WorkerFacts, tuples_of
from .headroom import Headroom, Headrooms, how_many


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """The largest number of connections that one limit alone allows the fleet, and the nodes where the limit is."""

    limit: Limit
    total: int
    nodes: tuple[str, ...]  # nodes in the place of the limit, the narrowest place first
    room: float = 0.0  # headroom for connections in the narrowest place, in the limit's unit
    change: str = ""  # the smallest change that reaches the next limit, or the total that was asked for
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def commands(self) -> list[str]:
        """The shell commands that raise the limit; empty if no setting of the host does."""
        return [command(name, value) for name, value in self.settings.items()]

    @property
    def lifts(self) -> str:
        """The shell commands that raise the limit, in one line; without commands, the necessary change in words."""
        return "; ".join(self.commands) or self.change

    def sentence(self, rank: int) -> str:
        """Return a sentence on the limit: at how many connections it stops the fleet, where, and what lifts it.

        ``rank``: the limit's place in the ranking, from 1.
        """
        return f"{ordinal(rank)} at {self.total:,}: {self.limit.title}, on {several(self.nodes)}; {self.lifts}"


def reaches(
    total: int, rooms: Headrooms, workers: Sequence[WorkerFacts], target: TargetFacts, hosts: Mapping[str, Host]
) -> list[Bottleneck]:
    """Return the bottlenecks of a fleet, one for each limit that is finite, the lowest total of connections first.

    Each includes the smallest change that lifts the limit.
    """
    by_limit: dict[Limit, list[Headroom]] = {}
    for place in rooms.places:
        by_limit.setdefault(place.limit, []).append(place)
    found = [*planned(workers, target), *(reach_of(places, workers, target) for places in by_limit.values())]
    ranked = sorted((reach for reach in found if reach.total < ENDLESS), key=lambda reach: reach.total)
    return [changed(reach, goal_after(reach, ranked, total), workers, target, hosts) for reach in ranked]


def goal_after(reach: Bottleneck, ranked: Sequence[Bottleneck], total: int) -> int:
    """Return the total of connections that lifting one limit should make possible.

    It is ``total`` if that is more than the limit allows; else the total of the next limit, at most double.
    """
    if total > reach.total:
        return total
    twice = max(2 * reach.total, 1)
    return min((twice, *(other.total for other in ranked if other.total > reach.total)))


def planned(workers: Sequence[WorkerFacts], target: TargetFacts) -> list[Bottleneck]:
    """Return the bottlenecks that follow from the plan: 4-tuples, listening ports, and descriptors if processes have none.

    These limits are not headroom of a host.
    """
    names = tuple(worker.name for worker in sorted(workers, key=lambda worker: worker.tuples))
    helpless = tuple(worker.name for worker in workers if not worker.connections_per_process)
    found = [Bottleneck(BY_NAME["tuples"], tuples_of(workers) * target.most_destinations, names)]
    if not target.is_endpoint:
        if not target.connections_per_process:
            helpless = (target.name, *helpless)
        found.append(Bottleneck(BY_NAME["listening-ports"], target.capacity, (target.name,)))
    if target.name in helpless or len(helpless) == len(workers):
        found.append(Bottleneck(BY_NAME["descriptors"], 0, helpless))
    return found


def reach_of(places: Sequence[Headroom], workers: Sequence[WorkerFacts], target: TargetFacts) -> Bottleneck:
    """Return how many connections one limit allows the fleet, over all of its places.

    ``places`` are the headrooms of that limit. Workers in unknown places are taken as unlimited.
    """
    limit = places[0].limit
    serving = next((place for place in places if place.target_each), None)
    elsewhere = [place for place in places if place is not serving]
    placed = sum(len(place.workers) for place in places if place.counts_workers)
    others = sum(how_many(place.room, place.each) for place in elsewhere) if placed == len(workers) else ENDLESS
    if serving and (serving.counts_workers or with_target(serving, others) <= others):
        return Bottleneck(limit, with_target(serving, others), names_of(serving, (), workers, target), serving.room)
    narrowest = min(elsewhere, key=lambda place: place.room / place.each)
    return Bottleneck(limit, others, names_of(narrowest, elsewhere, workers, target), narrowest.room)


def with_target(place: Headroom, others: int) -> int:
    """Return the largest number of connections for which the target's place has headroom.

    It holds the target's ends, and the worker ends of connections beyond ``others``, which workers elsewhere hold.
    """
    alone = how_many(place.room, place.target_each)
    if not place.counts_workers or alone <= others:
        return alone
    # total x target_each + (total - others) x each <= room
    return how_many(place.room + others * place.each, place.target_each + place.each)


def names_of(
    narrowest: Headroom, elsewhere: Sequence[Headroom], workers: Sequence[WorkerFacts], target: TargetFacts
) -> tuple[str, ...]:
    """Return the names of the nodes that a limit concerns: those in the place with the least headroom, then all others.

    If that place also holds the target's ends, only its own nodes are named, the target first.
    """
    own = [workers[index].name for index in narrowest.workers]
    if narrowest.target_each:
        return (target.name, *own)
    rest = [workers[index].name for place in elsewhere if place is not narrowest for index in place.workers]
    return (*own, *rest)


def changed(
    reach: Bottleneck, goal: int, workers: Sequence[WorkerFacts], target: TargetFacts, hosts: Mapping[str, Host]
) -> Bottleneck:
    """Return a bottleneck completed with the smallest change that makes ``goal`` connections possible."""
    name, more = reach.limit.name, goal - reach.total
    if name == "tuples":
        widest = max((worker.ports.size for worker in workers), default=0) * target.most_destinations
        return replace(reach, change=f"{-(-more // widest):,} more source addresses" if widest else "more client ports")
    if name == "listening-ports":
        ports = -(-more // max(target.connections_per_process, 1))
        return replace(reach, change=f"{ports:,} more ports (--ports), or a higher limit of descriptors on {target.name}")
    host = hosts.get(reach.nodes[0]) if reach.nodes else None
    if host is None:
        return replace(reach, change=reach.limit.cure)
    if name == "descriptors":
        return replace(reach, change=reach.limit.cure, settings=reach.limit.settings(descriptors_for(host), host))
    needed = reach.room * goal / reach.total if reach.total else reach.room
    return lifted(reach, needed, host)


def descriptors_for(host: Host) -> int:
    """Return how many descriptors one process on the host needs for itself and for a thousand connections."""
    return host.descriptors_per_process + 1024


def lifted(reach: Bottleneck, needed: float, host: Host) -> Bottleneck:
    """Return a bottleneck completed with the change of settings, or of memory, that gives its place ``needed`` headroom."""
    limit = reach.limit
    value = wanted(limit, limit.used(host.levels, host), needed)
    settings = limit.settings(value, host)
    if settings:
        words = ", ".join(f"{name} {text}" for name, text in settings.items())
        return replace(reach, change=words, settings=settings)
    if limit.unit == "B":
        return replace(reach, change=f"{format_bytes((needed - reach.room) / (1 - limit.margin))} more memory")
    return replace(reach, change=limit.cure)


def ordinal(rank: int) -> str:
    """Return the English ordinal of a number as text: "1st", "2nd", "3rd", "4th" and so on."""
    suffix = "th" if 10 <= rank % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(rank % 10, "th")
    return f"{rank}{suffix}"
