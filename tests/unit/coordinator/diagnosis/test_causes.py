"""From evidence to causes, by the table: each rule alone, who stands in for whom, and what is said when nothing fits."""

from __future__ import annotations

import signal
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tree import ROOT

from c1m.coordinator.diagnosis.causes import SETTING, TELLING, Cause, diagnose, remaining, ruled_out, telling
from c1m.coordinator.diagnosis.conditions import (
    AtLeast,
    Condition,
    Dropped,
    Ended,
    Error,
    Full,
    Halted,
    Lost,
    Overflowing,
    Rose,
    Silent,
)
from c1m.coordinator.diagnosis.diagnosis import Diagnosis, sentences
from c1m.coordinator.diagnosis.progress import Progress, Trouble
from c1m.coordinator.diagnosis.rule import Rule
from c1m.coordinator.diagnosis.rules import RULES
from c1m.coordinator.ledger.doing import Role
from c1m.coordinator.ledger.evidence import Evidence, NodeHistory
from c1m.coordinator.ledger.loss_reason import LossKind, LossReason
from c1m.kernel.reader import TCP_EXT
from c1m.limits.sysctls import SYSCTLS as FACTS
from c1m.limits.table import LIMITS
from c1m.measure.phase import Phase
from c1m.measure.reasons import ChildKind, ExitKind, ExitReason, HaltReason
from c1m.measure.sample import Reading, Sample
from c1m.measure.tally import Tally

ALL = set(Trouble)
PAGE = ROOT / "docs" / "causes.md"
FACTS_HERE = dict.fromkeys(FACTS, "1000")


def worker(**seen: object) -> Evidence:
    return Evidence("worker w:7100", Role.WORKER, "w", facts=FACTS_HERE, **seen)  # type: ignore[arg-type]


def target(**seen: object) -> Evidence:
    return Evidence("target t:7200", Role.TARGET, "t", facts=FACTS_HERE, **seen)  # type: ignore[arg-type]


def with_sign(seen: Evidence, sign: Condition) -> Evidence:
    """Evidence in which a sign shows, too."""
    match sign:
        case Error():
            return replace(seen, errors={**seen.errors, sign.errors[0]: 12})
        case Dropped():
            return replace(seen, dropped={sign.causes[0]: 12})
        case Rose():
            return replace(seen, rose={**seen.rose, sign.counter: 12})
        case AtLeast():
            return replace(seen, levels={**seen.levels, sign.level: sign.least})
        case Full():
            limit = {} if sign.limit in FACTS_HERE else {sign.limit: 1000}
            return replace(seen, levels={**seen.levels, sign.level: 1000, **limit})
        case Overflowing():
            return replace(seen, levels={**seen.levels, "accept_queue": 9, "accept_backlog": 8})
        case Silent():
            return replace(seen, silent_seconds=sign.seconds)
        case Lost():
            return replace(seen, lost=LossReason(sign.kind or LossKind.SILENT))
        case Ended():
            child, by_signal = sign.child or ChildKind.SHARD, sign.by_signal or signal.SIGTERM
            return replace(seen, exit_reasons=(ExitReason(ExitKind.SIGNALLED, child, (0,), 12, 1, by_signal),))
        case Halted():
            return replace(seen, halted=HaltReason(sign.kind, 1, 2))
    raise AssertionError(sign)


def scene_of(rule: Rule, role: Role) -> list[Evidence]:
    nodes = {"worker": worker(), "target": target()}
    for sign in rule.signs:
        nodes[role] = with_sign(nodes[role], sign)
    other = Role.TARGET if role is Role.WORKER else Role.WORKER
    for sign in rule.elsewhere:
        nodes[other] = with_sign(nodes[other], sign)
    return list(nodes.values())


EACH = [(rule, role) for rule in RULES for role in rule.on]


@pytest.mark.parametrize(("rule", "role"), EACH, ids=[f"{rule.cause}, {role}" for rule, role in EACH])
def test_where_all_signs_show_the_cause_is_named_with_node_evidence_and_cure(rule: Rule, role: Role) -> None:
    found = diagnose(scene_of(rule, role), ALL, last_resort=rule.last_resort)

    assert [(cause.cause, cause.role) for cause in found] == [(rule.cause, role)]
    (cause,) = found
    assert len(cause.evidence) >= len(rule.signs) + len(rule.elsewhere)
    assert all(cause.evidence)
    assert cause.cure
    assert "{" not in cause.sentence
    assert cause.sentence.startswith(f"{cause.node}: ")


@pytest.mark.parametrize(("rule", "role"), EACH, ids=[f"{rule.cause}, {role}" for rule, role in EACH])
def test_without_trouble_only_what_is_told_always_is_told(rule: Rule, role: Role) -> None:
    found = diagnose(scene_of(rule, role), set(), last_resort=rule.last_resort)

    assert bool(found) == (not rule.troubles)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.cause)
def test_a_rule_names_what_nodes_tell_and_what_the_limits_know(rule: Rule) -> None:
    facts = {name for text in (rule.says, rule.cure) for name in SETTING.findall(text)}
    counters = {sign.counter for sign in (*rule.signs, *rule.also) if isinstance(sign, Rose)}

    assert facts <= set(FACTS)
    assert rule.limit == "" or rule.limit in {limit.name for limit in LIMITS}
    assert rule.cure or rule.limit
    assert all(name in TCP_EXT or name.startswith(("cgroup_", "softnet_", "conntrack_")) for name in counters)
    assert set(rule.instead_of) <= {other.cause for other in RULES}


@given(st.sampled_from(EACH), st.sampled_from(EACH))
def test_one_node_has_each_cause_once_and_none_that_another_stands_in_for(
    one: tuple[Rule, str], other: tuple[Rule, str]
) -> None:
    nodes = {"worker": worker(), "target": target()}
    for rule, role in (one, other):
        for sign in rule.signs:
            nodes[role] = with_sign(nodes[role], sign)

    found = diagnose(list(nodes.values()), ALL)

    assert len({(cause.cause, cause.node) for cause in found}) == len(found)
    assert remaining(found) == found


def test_a_clean_scene_has_no_cause_whatever_the_trouble() -> None:
    levels = {"in_flight": 0, "accept_queue": 3, "accept_backlog": 4096, "processes_stopped": 0, "busiest_cpu_percent": 55}
    rose = {"ListenOverflows": 0, "TCPSynRetrans": 0, "softnet_dropped": -3}

    assert diagnose([worker(levels=levels, rose=rose), target(levels=levels, rose=rose)], ALL) == []


def test_a_stopped_acceptor_stands_in_for_what_follows_from_it() -> None:
    scene = [
        worker(rose={"TCPSynRetrans": 40}, levels={"in_flight": 40}, errors={"handshake ETIMEDOUT": 3}),
        target(levels={"processes_stopped": 2, "accept_queue": 65, "accept_backlog": 64}, rose={"ListenOverflows": 9}),
    ]

    assert [(cause.cause, cause.role) for cause in diagnose(scene, ALL)] == [("process stopped", Role.TARGET)]


def test_what_is_wrong_with_one_worker_explains_nothing_of_another() -> None:
    starved = worker(levels={"longest_cpu_wait_percent": 90, "in_flight": 5}, rose={"TCPSynRetrans": 5})
    cut_off = Evidence("worker x:7100", Role.WORKER, "x", levels={"in_flight": 9}, rose={"TCPSynRetrans": 30})

    found = diagnose([starved, cut_off], {Trouble.STALLED})

    assert [(cause.cause, cause.node) for cause in found] == [("CPU", "worker w:7100"), ("SYN unanswered", "worker x:7100")]


def test_nodes_of_one_host_tell_its_counters_once_and_their_own_processes_each() -> None:
    levels, rose = {"processes_stopped": 1}, {"IPReversePathFilter": 7}
    one = worker(levels=levels, rose=rose)
    other = replace(one, node="worker x:7100")

    assert [cause.cause for cause in diagnose([one, other], ALL)] == [
        "process stopped",
        "process stopped",
        "reverse path filter",
    ]


def test_a_thousand_workers_make_one_sentence() -> None:
    causes = [
        Cause("no route", f"worker {number}:7100", "it has no route", ("x",), "add one", role=Role.WORKER)
        for number in range(1_000)
    ]

    (sentence,) = sentences(causes)

    assert sentence.endswith("the same on worker 1:7100, worker 2:7100, worker 3:7100 and 996 more")


@pytest.mark.parametrize("number", [*TELLING, 262_094, 524_273])
def test_telling_numbers_are_recognised(number: int) -> None:
    assert telling(number)


@pytest.mark.parametrize("number", [0, 1, 28_000, 100_000, 1_000_000])
def test_other_numbers_tell_nothing(number: int) -> None:
    assert telling(number) == ""


def test_what_nothing_explains_says_what_was_ruled_out_and_what_is_not_known() -> None:
    diagnosis = Diagnosis()
    scene = [worker(levels={"processes_stopped": 0, "in_flight": 0}, rose={"TCPSynRetrans": 0})]
    told: list[str] = []
    for second in range(12):
        told += diagnosis.take(Progress(second, 300_000, 262_144, opened=262_144), 300_000, lambda _: scene)

    assert told[0] == (
        "stalled: 262,144 of 300,000 established, and no more for 3 s; 262,144 is the kernel's usual nf_conntrack_max"
    )
    (sentence,) = told[1:]
    assert "no evidence explains it" in sentence
    assert "ruled out: node silent, process stopped" in sentence
    assert "unknown: killed for memory" in sentence
    (finding,) = diagnosis.conclude(scene, unaccepted=False)
    assert (finding.cause.cause, finding.at_seconds) == ("unexplained", 8)


def test_a_cause_is_said_once_and_keeps_the_moment_at_which_it_was_first_seen() -> None:
    diagnosis = Diagnosis()
    scene = [worker(errors={"handshake ECONNREFUSED": 5})]
    told = [diagnosis.take(Progress(second, 9, 4, opened=4, failed=5), 9, lambda _: scene) for second in range(1, 9)]

    assert [len(each) for each in told] == [1] + 7 * [0]
    (finding,) = diagnosis.conclude([worker(errors={"handshake ECONNREFUSED": 8})], unaccepted=False)
    assert finding.at_seconds == 1
    assert "8 x ECONNREFUSED from handshake" in finding.cause.sentence


def test_what_was_ruled_out_is_what_the_nodes_can_see() -> None:
    known, unknown = ruled_out([worker(rose={"cgroup_oom_kills": 0})])

    assert "killed for memory" in known
    assert {"process stopped", "CPU"} <= set(unknown)
    assert "accept queue" not in [*known, *unknown], "there is no target that could have one"


def test_a_cause_is_ruled_out_only_where_every_node_and_every_sign_of_one_rule_could_be_seen() -> None:
    waits, throttled = {"longest_cpu_wait_percent": 0}, {"cgroup_cpu_throttled": 0}
    both, one = worker(levels=waits, rose=throttled), worker(levels=waits)

    assert "CPU quota" in ruled_out([both])[0]
    assert "CPU quota" in ruled_out([one])[1]  # of two signs one is unknown
    assert "CPU quota" in ruled_out([both, replace(one, node="worker x:7100")])[1]  # of two nodes one does not tell
    assert "CPU" in ruled_out([one])[0]  # one of the two rules is enough


def test_what_was_ruled_out_and_what_is_unknown_are_all_causes_of_those_nodes_in_the_order_of_the_table() -> None:
    known, unknown = ruled_out([worker()])
    order = list(dict.fromkeys(rule.cause for rule in RULES if Role.WORKER in rule.on))

    assert sorted([*known, *unknown], key=order.index) == order
    assert set(known).isdisjoint(unknown)
    assert (known, unknown) == ([each for each in order if each in known], [each for each in order if each in unknown])
    assert ruled_out([]) == ([], [])


def test_a_cause_on_the_target_replaces_those_of_all_nodes_and_one_on_a_worker_only_its_own() -> None:
    def cause(name: str, node: str) -> Cause:
        return Cause(name, node, "it", ("x",), "cure", role=Role.TARGET if node.startswith("target") else Role.WORKER)

    queue, syn_a, syn_b = (
        cause("accept queue", "target t"),
        cause("SYN unanswered", "worker a"),
        cause("SYN unanswered", "worker b"),
    )
    unreachable = cause("unreachable", "worker a")

    assert remaining([queue, syn_a, syn_b]) == [queue]
    assert remaining([unreachable, syn_a, syn_b]) == [unreachable, syn_b]
    assert remaining([syn_a, cause("CPU", "target t")]) == [cause("CPU", "target t")]


def test_a_rule_that_looks_elsewhere_needs_the_sign_there_and_quotes_it_with_the_node() -> None:
    refused = worker(errors={"handshake ECONNREFUSED": 5})
    listening = target(levels={"listeners": 4})

    (firewall,) = diagnose([refused, listening], {Trouble.FAILED})
    (nothing,) = diagnose([refused, target()], {Trouble.FAILED})
    (own,) = diagnose([replace(refused, levels={"listeners": 4})], {Trouble.FAILED})

    assert firewall.evidence == ("5 x ECONNREFUSED from handshake", "target t:7200: 4 listening ports")
    assert "a firewall answers in the target's place" in firewall.says
    assert nothing.evidence == own.evidence == ("5 x ECONNREFUSED from handshake",)
    assert "nothing listens on the port" in nothing.says
    assert nothing.says == own.says


def test_what_also_shows_is_quoted_after_the_signs() -> None:
    seen = target(rose={"ListenOverflows": 9}, levels={"accept_queue": 65, "accept_backlog": 64})

    (cause,) = diagnose([seen], set())

    assert cause.evidence == ("ListenOverflows +9", "65 wait in an accept queue with a backlog of 64")


def test_a_sentence_has_node_cause_evidence_and_cure() -> None:
    cause = Cause("CPU", "the run", "it waits", ("a", "b"), "add workers")

    assert (cause.sentence, cause.role, cause.limit) == ("the run: it waits (a, b); add workers", None, None)


def test_the_cure_of_a_limit_names_its_value_there_and_its_page() -> None:
    (cause,) = diagnose([target(rose={"TCPReqQFullDrop": 3})], set())
    limit = next(limit for limit in LIMITS if limit.name == "syn-queue")

    assert cause.limit == "syn-queue"
    assert cause.cure == f"{limit.read} (1000): {limit.cure} (c1m-coord explain syn-queue)"
    (nowhere,) = diagnose([replace(target(rose={"TCPReqQFullDrop": 3}), facts={})], set())
    assert nowhere.cure.startswith(f"{limit.read} (unknown): ")


def test_the_cure_of_a_rule_comes_before_that_of_its_limit() -> None:
    full = target(levels={"descriptors": 990, "descriptors_limit": 1000})

    (cause,) = diagnose([full], {Trouble.STALLED})
    limit = next(limit for limit in LIMITS if limit.name == "descriptors")

    assert cause.cure == (
        "raise the server's own limit (worker_rlimit_nofile, maxconn), and LimitNOFILE= in its unit or ulimit -Hn; "
        f"{limit.cure} (c1m-coord explain descriptors)"
    )


def test_names_in_braces_become_the_hosts_values() -> None:
    seen = replace(worker(errors={"bind EADDRINUSE": 2}), facts={"net.ipv4.ip_local_port_range": "32768 60999"})

    assert "net.ipv4.ip_local_port_range (32768 60999)" in diagnose([seen], {Trouble.FAILED})[0].says
    assert "(none)" in diagnose([replace(seen, facts={"net.ipv4.ip_local_port_range": ""})], {Trouble.FAILED})[0].says
    assert "(unknown)" in diagnose([replace(seen, facts={})], {Trouble.FAILED})[0].says


@pytest.mark.parametrize(
    ("count", "told"),
    [
        (28_232, "28,232 is the size of the kernel's own ip_local_port_range, 32768-60999"),
        (28_204, "28,232 is the size of the kernel's own ip_local_port_range, 32768-60999"),
        (28_260, "28,232 is the size of the kernel's own ip_local_port_range, 32768-60999"),
        (28_203, ""),
        (28_261, ""),
        (64_512, "64,512 is the number of unprivileged ports of one source address"),
        (262_144, "262,144 is the kernel's usual nf_conntrack_max"),
        (524_288, "524,288 is a usual limit of descriptors (LimitNOFILE=), and of connection tables"),
        (1_048_576, "1,048,576 is the kernel's own fs.nr_open, the highest limit of descriptors that a process may have"),
    ],
)
def test_a_count_is_near_a_known_limit_within_a_thousandth(count: int, told: str) -> None:
    assert telling(count) == told


# -- evidence


def reading(number: int, **values: int) -> Reading:
    levels = {name: value for name, value in values.items() if name not in TCP_EXT}
    return Reading(number, None, None, None, {}, {name: values[name] for name in values if name in TCP_EXT}, levels)


def test_evidence_is_of_its_stretch_of_time() -> None:
    trail = NodeHistory()
    for second in range(10):
        tally = Tally(attempted=second, opened=second, errors={"connect ENETUNREACH": second})
        taken = reading(second, ListenOverflows=100 + second, processes_stopped=int(second == 3), x_percent=10 * second)
        trail.take(Sample(Phase.OPENING, tally, reading=taken), float(second))

    def seen(since: float | None) -> Evidence:
        return trail.evidence(node="n", role=Role.WORKER, host="h", facts={}, lost=None, since=since, silent_seconds=0)

    assert seen(None).rose == {"ListenOverflows": 9}
    assert seen(6.0).rose == {"ListenOverflows": 3}
    assert (seen(None).errors, seen(6.0).errors) == ({"connect ENETUNREACH": 9}, {"connect ENETUNREACH": 3})
    assert (seen(None).levels["processes_stopped"], seen(6.0).levels["processes_stopped"]) == (1, 0)
    assert seen(7.0).levels["x_percent"] == 80


def test_of_a_stretch_that_is_longer_than_the_trail_the_end_is_evidence() -> None:
    trail = NodeHistory()
    for second in range(200):
        taken = reading(second, ListenOverflows=min(second, 50))  # it rose early, and has nothing to do with it
        trail.take(Sample(Phase.OPENING, reading=taken), float(second))

    seen = trail.evidence(node="n", role=Role.TARGET, host="h", facts={}, lost=None, since=60.0, silent_seconds=0)

    assert seen.rose == {"ListenOverflows": 0}


def test_a_node_that_never_said_anything_is_silent_and_nothing_else() -> None:
    seen = NodeHistory().evidence(node="n", role=Role.TARGET, host="h", facts={}, lost=None, since=None, silent_seconds=5)

    assert [cause.cause for cause in diagnose([seen], {Trouble.STALLED})] == ["node silent"]


def test_the_page_on_causes_has_them_all() -> None:
    rows = [line.split("|")[1].strip() for line in PAGE.read_text().splitlines() if line.startswith("| ")]

    assert rows == ["cause", *dict.fromkeys(rule.cause for rule in RULES), "unexplained"]
