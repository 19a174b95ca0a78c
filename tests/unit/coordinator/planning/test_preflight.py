"""Before a run: what each node is asked for, how far each limit lets a fleet go, and which comes first. Pure."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c1m.coordinator.ledger.limit_usage import LimitUsages
from c1m.coordinator.planning.capacity import ENDLESS, TargetFacts, WorkerFacts
from c1m.coordinator.planning.documents import doctor_document, plan_document
from c1m.coordinator.planning.headroom import Headrooms, largest
from c1m.coordinator.planning.plan import make_plan
from c1m.coordinator.planning.preflight import Fleet, Preflight, RunDemand, paused
from c1m.errors import RefusedError
from c1m.limits.assessment import Member
from c1m.limits.budget import Budget, budgets_of
from c1m.limits.connection_memory import TARGET_END, WORKER_END
from c1m.limits.limit import NO_LIMIT, Demand, HostRole, Limit, LimitStatus
from c1m.limits.table import BY_NAME
from c1m.measure.sample import Host, Reading
from c1m.net.addresses import AddressBlock, AddressPool
from c1m.net.ports import PortRanges

PORTS = PortRanges(((1024, 65535),))
GB = 10**9
LIMITS = [BY_NAME[name] for name in ("memory", "open-files", "conntrack")]  # the last counts a connection once


def host(name: str, each: int = 20_000, memory: int = 24 * GB) -> Host:
    known = {
        "net.core.somaxconn": "4096",
        "fs.file-max": "2466170",
        "fs.epoll.max_user_watches": "5491511",
        "kernel.pid_max": "32768",
        "kernel.threads-max": "192730",
        "net.ipv4.tcp_ehash_entries": "262144",
        "net.ipv4.tcp_syncookies": "1",
    }
    levels = {"memory_available_bytes": memory, "open_files": 1000, "threads": 200, "tcp_inuse": 0, "conntrack": 0}
    own = {"RLIMIT_NPROC": 96_000, "cgroup_pids": NO_LIMIT, "cgroup_memory_bytes": NO_LIMIT}
    return Host(1, "", name, name, "6.18", 2, memory, memory, each + 64, each, 1, known, {}, {}, own, levels)


def with_sysctl(where: Host, name: str, value: str) -> Host:
    return replace(where, facts={**where.facts, name: value})


def sources(index: int, count: int = 4) -> AddressPool:
    return AddressPool((AddressBlock((10 << 24) + 256 * index, count, 4),))


def fleet(*workers: Host, server: Host, count: int = 4, ports: int = 1000) -> Fleet:
    hosts = {f"worker {index}": where for index, where in enumerate(workers)}
    facts = [
        WorkerFacts(
            name,
            of.namespace,
            of.cores,
            of.connections_per_process,
            sources(index, count),
            PORTS,
            budgets_of(name, of, HostRole.WORKER),
        )
        for index, (name, of) in enumerate(hosts.items())
    ]
    budgets = budgets_of("target", server, HostRole.TARGET)
    goal = TargetFacts("target", server.cores, server.connections_per_process, ports, budgets=budgets)
    return Fleet(facts, goal, {**hosts, "target": server})


@st.composite
def crowded(draw: st.DrawFn) -> tuple[list[WorkerFacts], TargetFacts]:
    """Few places and small ones, so that limits meet, and nodes share them."""

    def budgets(serving: bool) -> tuple[Budget, ...]:
        chosen = draw(st.lists(st.sampled_from(LIMITS), unique=True))
        place = draw(st.sampled_from("ab"))
        return tuple(Budget(limit, place, draw(st.integers(0, 300)), draw(st.integers(1, 3))) for limit in chosen)

    workers = [
        WorkerFacts(f"w{index}", f"n{index}", 2, draw(st.integers(1, 50)), sources(index, 1), PORTS.take(20), budgets(False))
        for index in range(draw(st.integers(1, 4)))
    ]
    return workers, TargetFacts("t", 2, draw(st.integers(1, 50)), draw(st.integers(1, 9)), budgets=budgets(True))


def planned(total: int, workers: list[WorkerFacts], goal: TargetFacts) -> bool:
    try:
        return make_plan(total, workers, goal).total == total
    except RefusedError:
        return False


@settings(max_examples=300)
@given(crowded())
def test_the_ceiling_is_what_can_be_planned_and_no_more(made: tuple[list[WorkerFacts], TargetFacts]) -> None:
    workers, goal = made
    ceiling = Preflight(1, Fleet(workers, goal, {}), RunDemand()).ceiling

    assert ceiling is not None  # listening ports end somewhere
    assert ceiling == 0 or planned(ceiling, workers, goal)
    assert not planned(ceiling + 1, workers, goal)


@settings(max_examples=300)
@given(crowded(), st.sampled_from(LIMITS))
def test_a_limit_reaches_as_far_as_it_would_alone(made: tuple[list[WorkerFacts], TargetFacts], limit: Limit) -> None:
    workers = [replace(worker, budgets=only(limit, worker.budgets)) for worker in made[0]]
    goal = replace(made[1], budgets=only(limit, made[1].budgets))
    rooms, endless = Headrooms(workers, goal), [ENDLESS] * len(workers)
    found = {reach.limit: reach.total for reach in Preflight(1, Fleet(workers, goal, {}), RunDemand()).ranking}

    expected = largest(2000, lambda total: sum(rooms.within(total, endless)) >= total)  # no place here has more

    assert found.get(limit, ENDLESS) == (expected if expected < 1999 else ENDLESS)


def only(limit: Limit, budgets: tuple[Budget, ...]) -> tuple[Budget, ...]:
    return tuple(budget for budget in budgets if budget.limit is limit)


def test_what_stops_next_is_ranked_with_its_machine_and_its_cure() -> None:
    """Worker 1 has few descriptors in the machine, the target little memory."""
    poor, server = with_sysctl(host("b"), "fs.file-max", "11000"), with_sysctl(host("c", memory=8 * GB), "fs.file-max", "9" * 9)
    made = Preflight(1_000_000, fleet(host("a"), poor, server=server), RunDemand())

    names = [(reach.limit.name, reach.nodes[0]) for reach in made.ranking]
    assert names[:2] == [("memory", "target"), ("open-files", "worker 1")]
    memory, files = made.ranking[:2]
    assert memory.total == int(8 * GB * 0.95 / TARGET_END)
    assert files.total == 10_000 + 2_465_170  # what the other cannot give, this one can
    assert "more memory" in memory.change
    assert files.commands[0].startswith("sysctl -w fs.file-max=")


def test_lifting_what_stops_first_lets_the_fleet_go_on() -> None:
    low = with_sysctl(host("a"), "fs.epoll.max_user_watches", "1000")
    before = Preflight(50_000, fleet(low, server=host("c")), RunDemand())
    assert before.ranking[0].limit.name == "epoll-watches"
    assert before.plan()[0] is None

    after = Preflight(
        50_000, fleet(replace(low, facts={**low.facts, **before.ranking[0].settings}), server=host("c")), RunDemand()
    )

    assert after.plan()[1] == []


def test_a_refusal_tells_everything_that_is_in_the_way_the_nearest_first() -> None:
    made = Preflight(4_000_000, fleet(host("a"), server=host("c")), RunDemand())
    plan, reasons = made.plan()

    totals = [reach.total for reach in made.in_the_way]
    assert plan is None
    assert totals == sorted(totals)
    assert [reason.split(":")[0].split(" at ")[0] for reason in reasons[1:]] == ["1st", "2nd", "3rd"][: len(totals)]


def test_one_host_holds_both_ends() -> None:
    here = host("a", memory=9 * GB)
    made = Preflight(1000, fleet(here, server=here), RunDemand())

    assert made.ceiling == int(9 * GB * 0.95 / (WORKER_END + TARGET_END))


@pytest.mark.parametrize(
    ("manner", "expected"),
    [
        (RunDemand(in_flight=512), 512),
        (RunDemand(in_flight=8192), 8192),
        (RunDemand(in_flight=8192, rate=2000), 1001),  # what comes in a second to one of two
        (RunDemand(in_flight=10**9), 20_000),  # never more than there are
    ],
)
def test_what_may_wait_in_one_accept_queue(manner: RunDemand, expected: int) -> None:
    made = Preflight(40_000, fleet(host("a"), server=host("c")), manner)

    assert made.members[-1].ask.in_queue == expected


def test_silence_matters_only_between_machines() -> None:
    long = RunDemand(silent_seconds=3600)
    apart = Preflight(10, fleet(host("a"), server=host("b")), long)
    together = Preflight(10, fleet(host("a"), server=host("a")), long)

    assert {found.limit.name for found in apart.tight} == {"idle-timeout"}
    assert together.tight == []


def test_a_plan_in_full_adds_up() -> None:
    made = Preflight(123_456, fleet(host("a"), host("b"), server=host("c")), RunDemand())
    document = plan_document(made, *made.plan())

    assert document.fits
    assert sum(worker.planned for worker in document.workers) == 123_456
    assert sum(acceptor.planned for acceptor in document.acceptors) == 123_456
    for worker in document.workers:
        routes = [route.planned for shard in worker.shards for route in shard.routes]
        assert sum(routes) == sum(shard.planned for shard in worker.shards) == worker.planned
        assert worker.tuples - worker.tuples_left == worker.planned
        assert worker.tuples_used_of_a_source + worker.tuples_left_of_a_source == worker.tuples_of_a_source
        assert worker.tuples_used_of_a_source * worker.sources >= worker.planned
    user = [each.user_bytes for each in document.hosts]
    assert user == [61_728 * 350, 61_728 * 350, 123_456 * 100]
    assert document.limits == ()


def test_a_document_for_a_fleet_that_nobody_observes() -> None:
    """An endpoint has no host, and nothing of it is claimed."""
    known = fleet(host("a"), server=host("c"))
    endpoint = TargetFacts("srv:80", 0, 0, 1, is_endpoint=True)
    made = Preflight(10, Fleet(known.workers, endpoint, {"worker 0": host("a")}), RunDemand())

    document = doctor_document(made)

    assert document.standing == "ok"
    assert {node for limit in document.limits for node in limit.nodes} == {"worker 0"}
    assert document.ceiling == 4 * PORTS.size


def calls(work: Callable[[], Any]) -> int:
    """How many functions it calls: a measure of work that no load of the machine changes."""
    count = 0

    def profile(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def test_the_work_grows_with_the_nodes_and_not_faster() -> None:
    """bench/plan.py measures the seconds; for them to stay few, ten times the nodes may be no more than ten times the work."""

    def work(nodes: int) -> int:
        many = fleet(*(host(f"h{index}") for index in range(nodes)), server=host("c", 2**20, 8000 * GB), ports=60_000)
        made = Preflight(100_000 * nodes, many, RunDemand())
        return calls(lambda: (made.plan(), made.not_ok, made.ranking, made.ceiling))

    small, large = work(40), work(400)

    assert large < 12 * small
    assert large < 2000 * 400  # calls for a node, C functions too; 1,630 when this was written


def test_the_collector_is_paused_for_a_plan_and_goes_on_after_it() -> None:
    seen = []
    with paused():
        seen.append(gc.isenabled())
        with paused():
            pass
        seen.append(gc.isenabled())  # whoever paused it first goes on

    assert [*seen, gc.isenabled()] == [False, False, True]


def reading(number: int, **levels: int) -> Reading:
    return Reading(number, None, None, None, levels=levels)


def test_gauges_tell_each_limit_of_a_place_once() -> None:
    here = host("a")
    limit_usages = LimitUsages([Member("w", here, Demand(HostRole.WORKER)), Member("t", here, Demand(HostRole.TARGET))])
    first = reading(0, open_files=1000)

    assert limit_usages.look("w", None, None) == []
    assert limit_usages.look("w", first, first) == []
    (tight,) = limit_usages.look("w", first, reading(1, open_files=2_300_000))
    assert limit_usages.look("t", first, reading(1, open_files=2_300_000)) == []  # the same machine's
    assert limit_usages.look("w", first, reading(2, open_files=2_310_000)) == []
    (full,) = limit_usages.look("w", first, reading(3, open_files=2_466_170))

    assert "nearly used up: 2,300,000 of 2,466,170" in tight
    assert "is used up" in full
    assert [taken.usage.standing for taken in limit_usages.taken.values()] == [LimitStatus.STOPS]
    assert limit_usages.look("stranger", first, reading(1, open_files=9**9)) == []
