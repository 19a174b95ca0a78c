"""The import arrows: pure modules import only the standard library and each other, programs never import one another,
shards never carry gRPC, acceptors neither gRPC, trio, asyncio nor selectors."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PURE = (
    "c1m/addresses.py",
    "c1m/backoff.py",
    "c1m/bandwidth.py",
    "c1m/bounds.py",
    "c1m/choice.py",
    "c1m/collector.py",
    "c1m/control_address.py",
    "c1m/dealing.py",
    "c1m/distribution.py",
    "c1m/endpoints.py",
    "c1m/ends.py",
    "c1m/errors.py",
    "c1m/escapes.py",
    "c1m/following.py",
    "c1m/hand.py",
    "c1m/heartbeat.py",
    "c1m/interpreter.py",
    "c1m/kernel/socket_filter.py",
    "c1m/latency.py",
    "c1m/limits/assessment.py",
    "c1m/limits/budget.py",
    "c1m/limits/ceilings.py",
    "c1m/limits/files.py",
    "c1m/limits/limit.py",
    "c1m/limits/memory.py",
    "c1m/limits/processes.py",
    "c1m/limits/queues.py",
    "c1m/limits/services.py",
    "c1m/limits/table.py",
    "c1m/limits/terms.py",
    "c1m/limits/tuning.py",
    "c1m/limits/tuples.py",
    "c1m/node.py",
    "c1m/pace.py",
    "c1m/phase.py",
    "c1m/ports.py",
    "c1m/proof.py",
    "c1m/push.py",
    "c1m/reading.py",
    "c1m/roles.py",
    "c1m/routes.py",
    "c1m/schedule.py",
    "c1m/shapes.py",
    "c1m/slow.py",
    "c1m/source_latency.py",
    "c1m/state.py",
    "c1m/storm.py",
    "c1m/sysctls.py",
    "c1m/tally.py",
    "c1m/turnover.py",
    "c1m/units.py",
    "coordinator/advice.py",
    "coordinator/answer.py",
    "coordinator/capacity.py",
    "coordinator/causes.py",
    "coordinator/clocks.py",
    "coordinator/cost.py",
    "coordinator/diagnosis.py",
    "coordinator/entry.py",
    "coordinator/evidence.py",
    "coordinator/bulletin.py",
    "coordinator/criteria.py",
    "coordinator/curves.py",
    "coordinator/document.py",
    "coordinator/figures.py",
    "coordinator/findings.py",
    "coordinator/forecast.py",
    "coordinator/freshness.py",
    "coordinator/gauges.py",
    "coordinator/history.py",
    "coordinator/latency_kinds.py",
    "coordinator/ledger.py",
    "coordinator/lookout.py",
    "coordinator/loss.py",
    "coordinator/liveness.py",
    "coordinator/phrases.py",
    "coordinator/machine_rules.py",
    "coordinator/packing.py",
    "coordinator/plan.py",
    "coordinator/plot.py",
    "coordinator/preflight.py",
    "coordinator/reach.py",
    "coordinator/reconcile.py",
    "coordinator/redistribution.py",
    "coordinator/room.py",
    "coordinator/rule.py",
    "coordinator/rules.py",
    "coordinator/saturation.py",
    "coordinator/shares.py",
    "coordinator/signs.py",
    "coordinator/stall.py",
    "coordinator/states.py",
    "coordinator/step.py",
    "coordinator/storms.py",
    "coordinator/sums.py",
    "coordinator/tcp_rules.py",
    "coordinator/timeline.py",
    "coordinator/told.py",
    "coordinator/turnover_report.py",
    "coordinator/vitality.py",
    "coordinator/way_rules.py",
    "target/guests.py",
    "worker/absences.py",
    "target/askers.py",
    "worker/assignment.py",
    "worker/ceilings.py",
    "worker/freed.py",
    "worker/wheel.py",
)
PROGRAMS = ("coordinator", "target", "worker")


def imported(path: Path) -> set[str]:
    """Names of modules that a file imports; relative ones as c1m.PROGRAM.NAME."""
    found: set[str] = set()
    folders = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = ".".join(("c1m", *folders[: len(folders) - node.level + 1]))
            found.add(f"{above}.{node.module or ''}" if node.level else node.module or "")
    return found


@pytest.mark.parametrize("name", PURE)
def test_pure_modules_import_the_standard_library_and_each_other(name: str) -> None:
    modules = {pure.removesuffix(".py").replace("/", ".") for pure in PURE}
    allowed = {module if module.startswith("c1m") else f"c1m.{module}" for module in modules}

    foreign = {
        module
        for module in imported(ROOT / name)
        if module.partition(".")[0] not in sys.stdlib_module_names and module not in allowed
    }

    assert foreign == set()


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_never_import_one_another(program: str) -> None:
    others = tuple(f"c1m.{other}" for other in PROGRAMS if other != program)

    for path in (ROOT / program).rglob("*.py"):
        assert not [module for module in imported(path) if module.startswith(others)], path


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("c1m.worker.shard.process", {"grpc"}),
        ("c1m.target.acceptor.process", {"grpc", "trio", "asyncio", "selectors"}),
    ],
)
def test_what_children_carry(module: str, absent: set[str]) -> None:
    """In a process that did what the zygote does before it forks."""
    program = f"import sys, c1m.processes.zygote, {module}; {module}.rehearse(); print(*sys.modules)"

    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert absent & set(told.stdout.split()) == set()


LOOK = """
import os, sys

class Look:
    def find_spec(self, name, path=None, target=None):
        if name == "grpc":
            print(os.environ.get("GRPC_VERBOSITY"))

sys.meta_path.insert(0, Look())
import {module}
"""


@pytest.mark.parametrize(
    ("module", "level"),
    [("c1m.coordinator.fleet.channel", "NONE"), ("c1m.worker.__main__", "INFO"), ("c1m.target.__main__", "INFO")],
)
def test_what_grpc_logs_is_settled_before_it_is_imported(module: str, level: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "GRPC_VERBOSITY"}

    told = subprocess.run(
        [sys.executable, "-c", LOOK.format(module=module)], capture_output=True, text=True, check=True, env=environment
    )

    assert told.stdout.split() == [level]
