"""What nodes describe of themselves, or whoever listens in their place, up to the plan and the advice that are made of it."""

from __future__ import annotations

import io
from random import Random

from google.protobuf.message import DecodeError
from rich.console import Console

from c1m.coordinator.fleet.clock_offset import clock_of
from c1m.coordinator.fleet.descriptions import described_target, described_worker
from c1m.coordinator.fleet.survey import Survey, preflight_of
from c1m.coordinator.planning.advice import advice_of, advice_summary, script
from c1m.coordinator.planning.documents import doctor_document, plan_document
from c1m.coordinator.report.preflight_tables import doctor_report, plan_report
from c1m.coordinator.spec.layers import make_spec
from c1m.coordinator.summary.json_text import written
from c1m.errors import C1mError
from c1m.limits.sysctls import SYSCTLS
from c1m.v1 import node_pb2, target_pb2, worker_pb2
from c1m.wire.grpc_options import PROTOCOL
from chance import DIGITS, TEXTS
from fuzzed import Target, tried

from .requests import disturbed

REFUSALS = (C1mError, DecodeError)
SPECS = [make_spec([("fuzz", {"total": total, "hold": "60s", "heartbeat": "10s"})]) for total in ("1", "100", "1M", "900G")]
SHOWN = 16  # of so many one, since tables take longer than all else together
AFTER = b"\xfe\xca\xfe\xca"  # the target's message, in an input that holds a worker's and a target's


def sound_host(chance: Random) -> node_pb2.Host:
    host = node_pb2.Host(protocol=PROTOCOL, version="0.1", boot_id=chance.choice("ab"), hostname="h", kernel="6.18.44")
    host.cores, host.network_namespace = chance.choice((1, 2, 64)), 1
    host.descriptors_per_process, host.connections_per_process = 20_000, 19_900
    host.memory_total_bytes, host.memory_available_bytes = 24 << 30, 20 << 30
    host.wall_clock_ns = chance.choice((0, 10**18))
    for name, value in FACTS.items():
        host.facts[name] = value
    host.unknown["net.netfilter.nf_conntrack_max"] = "not there"
    return host


def strange(host: node_pb2.Host, chance: Random) -> None:
    """It says of some settings what no kernel says, and of some limits what nobody has."""
    for name in chance.sample(list(FACTS), chance.randrange(5)):
        host.facts[name] = chance.choice((*TEXTS, *DIGITS))
    for names, numbers in ((LIMITS, host.limits), (LEVELS, host.levels)):
        for name in chance.sample(names, chance.randrange(4)):
            numbers[name] = chance.choice((0, 5, 1000, 10**9, 2**63 - 1))


FACTS = {
    **dict.fromkeys(SYSCTLS, "1000000"),
    "net.ipv4.tcp_mem": "288600\t384800\t577200",
    "net.ipv4.ip_local_port_range": "32768\t60999",
    "net.ipv4.ip_local_reserved_ports": "8080,9148-9150",
    "net.ipv4.tcp_ehash_entries": "-262144",
}


LIMITS = (
    "RLIMIT_NPROC cgroup_pids cgroup_memory_bytes most_connections most_rate most_bandwidth listen_backlog rp_filter".split()
)
LEVELS = (
    "open_files threads cgroup_pids tcp_mem_pages tcp_orphans tcp_time_wait tcp_inuse conntrack memory_available_bytes".split()
)


def sound_worker(chance: Random) -> worker_pb2.DescribeResponse:
    """One of which a plan can be made."""
    answer = worker_pb2.DescribeResponse(host=sound_host(chance), run_id="r", elapsed_ns=5)
    answer.sources.add(first="127.0.0.2", count=chance.choice((1, 1000)))
    answer.ports.add(low=1024, high=65_535)
    answer.schedule.version = 1
    answer.schedule.stages.add(total=5, within_ns=10**9)
    return answer


def sound_target(chance: Random) -> target_pb2.TargetServiceDescribeResponse:
    answer = target_pb2.TargetServiceDescribeResponse(host=sound_host(chance), bind="127.0.0.1")
    answer.single_port = chance.random() < 0.2
    answer.ports.add(low=9000, high=9999)
    return answer


def fleet(chance: Random) -> bytes:
    worker, target = sound_worker(chance), sound_target(chance)
    strange(worker.host, chance)
    strange(target.host, chance)
    return AFTER.join((disturbed(worker, chance), disturbed(target, chance)))


def planned(data: bytes) -> object:
    first, _, second = data.partition(AFTER)
    clock = clock_of(10**18, 10**6, worker_pb2.DescribeResponse.FromString(first).host.wall_clock_ns, 5)
    worker = described_worker("worker", worker_pb2.DescribeResponse.FromString(first), clock)
    target = described_target("target", target_pb2.TargetServiceDescribeResponse.FromString(second), None)
    mustered = Survey({"worker": worker}, "target", target, "127.0.0.1")
    preflight = preflight_of(SPECS[len(data) % len(SPECS)], mustered)
    made, refused = preflight.plan()
    document = plan_document(preflight, made, refused)
    advice = advice_of(preflight)
    written(document)
    written(doctor_document(preflight))
    for each in advice:
        written(advice_summary(each))
    if len(data) % SHOWN == 0:
        console = Console(file=io.StringIO(), width=160)
        console.print(plan_report(document, preflight), doctor_report(preflight))
    return [*mustered.far_clocks, *script(preflight.total, advice)]


SOUND = tuple(
    AFTER.join((sound_worker(Random(seed)).SerializeToString(), sound_target(Random(seed)).SerializeToString()))
    for seed in range(6)
)
TARGETS = (Target("fleet", SOUND, fleet, lambda data: tried(planned, data, refusals=REFUSALS)),)
