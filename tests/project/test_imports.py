"""What a package may import: one table. Programs never import one another, pure packages import the standard library and one
another, shards carry no gRPC, acceptors neither gRPC, trio, asyncio nor selectors."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from tree import ROOT

PROGRAMS = ("coordinator", "target", "worker")
ROOT_MODULES = "c1m"  # c1m/__init__.py and c1m/errors.py, which everybody may import

# Package -> the packages that it may import. An arrow that is not here is a decision: make it by adding it, or go without.
MAY_IMPORT = {
    "c1m.app": "c1m c1m.text",
    "coordinator": "c1m.app",  # coordinator/cli.py imports a module of coordinator.commands by its name when it is used
    "coordinator.commands": (
        "c1m c1m.app c1m.limits c1m.net c1m.processes c1m.schedule c1m.security c1m.text coordinator.fleet "
        "coordinator.journal coordinator.ledger coordinator.planning coordinator.report coordinator.results "
        "coordinator.run coordinator.spec coordinator.summary"
    ),
    "coordinator.diagnosis": "c1m.limits c1m.measure c1m.schedule c1m.text coordinator.ledger coordinator.summary",
    "coordinator.fleet": (
        "c1m c1m.app c1m.limits c1m.measure c1m.net c1m.orders c1m.schedule c1m.security c1m.text c1m.traffic "
        "c1m.v1 c1m.wire coordinator.planning coordinator.spec"
    ),
    "coordinator.journal": (
        "c1m c1m.app c1m.measure c1m.text c1m.v1 c1m.wire coordinator.diagnosis coordinator.fleet coordinator.ledger "
        "coordinator.results coordinator.spec coordinator.summary"
    ),
    "coordinator.ledger": "c1m.limits c1m.measure c1m.schedule c1m.text c1m.traffic coordinator.summary",
    "coordinator.planning": "c1m c1m.limits c1m.measure c1m.net c1m.schedule c1m.text coordinator.summary",
    "coordinator.report": (
        "c1m.limits c1m.measure c1m.text c1m.traffic coordinator.ledger coordinator.planning "
        "coordinator.results coordinator.spec coordinator.summary"
    ),
    "coordinator.results": (
        "c1m.measure c1m.net c1m.schedule c1m.text c1m.traffic coordinator.diagnosis coordinator.fleet "
        "coordinator.ledger coordinator.planning coordinator.spec coordinator.summary"
    ),
    "coordinator.run": (
        "c1m c1m.measure c1m.net c1m.orders c1m.schedule c1m.text c1m.traffic c1m.v1 c1m.wire "
        "coordinator.diagnosis coordinator.fleet coordinator.journal coordinator.ledger coordinator.planning "
        "coordinator.results coordinator.spec coordinator.summary"
    ),
    "coordinator.spec": ("c1m c1m.measure c1m.net c1m.orders c1m.schedule c1m.text c1m.traffic c1m.wire coordinator.summary"),
    "coordinator.summary": "c1m.measure",
    "c1m.kernel": "c1m c1m.limits c1m.measure c1m.net c1m.text",
    "c1m.limits": "c1m.measure c1m.net c1m.text",
    "c1m.measure": "c1m.schedule c1m.text c1m.traffic",
    "c1m.node": (
        "c1m c1m.app c1m.kernel c1m.limits c1m.measure c1m.net c1m.orders c1m.processes c1m.schedule c1m.security "
        "c1m.text c1m.wire"
    ),
    "c1m.orders": "c1m.measure c1m.schedule c1m.text c1m.traffic",
    "c1m.processes": "c1m c1m.app c1m.kernel c1m.measure c1m.orders c1m.schedule c1m.traffic",
    "c1m.schedule": "c1m c1m.text",
    "c1m.security": "c1m c1m.app",
    "target": "c1m c1m.app c1m.net c1m.node c1m.processes c1m.v1 target.node",
    "target.acceptor": "c1m.kernel c1m.measure c1m.orders c1m.processes c1m.traffic",
    "target.node": "c1m c1m.kernel c1m.measure c1m.net c1m.node c1m.orders c1m.processes c1m.traffic c1m.v1 c1m.wire",
    "c1m.testing": (
        "c1m c1m.measure c1m.net c1m.orders c1m.schedule c1m.traffic c1m.wire coordinator.fleet coordinator.planning"
    ),
    "c1m.traffic": "c1m c1m.schedule",
    "c1m.wire": "c1m c1m.measure c1m.net c1m.orders c1m.schedule c1m.text c1m.traffic c1m.v1",
    "worker": "c1m.app c1m.net c1m.node c1m.processes c1m.text c1m.v1 worker.node",
    "worker.behaviours": "c1m.kernel c1m.measure c1m.traffic worker.sockets",
    "worker.node": (
        "c1m c1m.kernel c1m.limits c1m.measure c1m.net c1m.node c1m.orders c1m.processes c1m.schedule c1m.text "
        "c1m.traffic c1m.v1 c1m.wire worker.shard worker.sockets"
    ),
    "worker.shard": "c1m.measure c1m.net c1m.orders c1m.processes c1m.schedule worker.behaviours worker.sockets",
    "worker.sockets": "c1m.measure c1m.net",
    "c1m.net": "",
    "c1m.text": "",
}
# Only the standard library and one another: what they compute depends on nothing but their arguments.
PURE = (
    "c1m.limits",
    "c1m.measure",
    "c1m.net",
    "c1m.orders",
    "c1m.schedule",
    "c1m.text",
    "c1m.traffic",
    "coordinator.diagnosis",
    "coordinator.ledger",
    "coordinator.planning",
    "coordinator.summary",
)
FILES_IN_A_PACKAGE = 20  # besides __init__.py: more than that nobody overlooks


def modules() -> dict[str, Path]:
    """Each module by its dotted name; programs' modules without the leading c1m."""
    found = {}
    for folder in ("c1m", *PROGRAMS):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if parts[0] == "c1m" and parts[1] in (*PROGRAMS, "v1"):  # links to the programs; generated code
                continue
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def package_of(module: str) -> str:
    return module if MODULES[module].name == "__init__.py" else module.rpartition(".")[0]


def short(module: str) -> str:
    """The name without the leading c1m where it is a program's."""
    rest = module.removeprefix("c1m.")
    return rest if rest.partition(".")[0] in PROGRAMS else module


def imported(module: str) -> Iterator[str]:
    """All that a module imports, wherever in it: our modules by their names here, others as they are written."""
    package = package_of(module).split(".")
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            yield from (short(alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                name = short(f"{base}.{alias.name}")
                yield name if name in MODULES else short(base)


def ours(module: str) -> set[str]:
    """The modules of ours that it imports; generated ones by their package."""
    return {name if name in MODULES else "c1m.v1" for name in imported(module) if name in MODULES or name.startswith("c1m.v1")}


@pytest.mark.parametrize("package", sorted({package_of(module) for module in MODULES}))
def test_a_package_imports_what_the_table_lets_it(package: str) -> None:
    allowed = {package, ROOT_MODULES, *MAY_IMPORT.get(package, "").split()}

    for module in MODULES:
        if package_of(module) == package:
            found = {name if name == "c1m.v1" else package_of(name) for name in ours(module)}
            assert found <= allowed, f"{module} imports {', '.join(sorted(found - allowed))}"


def test_every_arrow_of_the_table_is_in_use() -> None:
    used: dict[str, set[str]] = {}
    for module in MODULES:
        found = {name if name == "c1m.v1" else package_of(name) for name in ours(module)}
        used.setdefault(package_of(module), set()).update(found)

    for package, allowed in MAY_IMPORT.items():
        assert set(allowed.split()) <= used[package], f"{package} has arrows that nothing uses"


def test_no_circle_of_packages_or_of_files() -> None:
    packages = {package: set(allowed.split()) - {ROOT_MODULES} for package, allowed in MAY_IMPORT.items()}

    assert list(TopologicalSorter(packages).static_order())
    assert list(TopologicalSorter({module: ours(module) - {module} for module in MODULES}).static_order())


@pytest.mark.parametrize("package", PURE)
def test_pure_packages_import_the_standard_library_and_one_another(package: str) -> None:
    for module in MODULES:
        if package_of(module) == package:
            for name in imported(module):
                foreign = name.partition(".")[0] not in sys.stdlib_module_names
                pure = name in MODULES and package_of(name) in (*PURE, ROOT_MODULES)
                assert not foreign or pure, f"{module} imports {name}"


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_never_import_one_another(program: str) -> None:
    others = {other for other in PROGRAMS if other != program}

    for module in MODULES:
        if module.partition(".")[0] == program:
            assert not [name for name in ours(module) if name.partition(".")[0] in others], module


def test_no_package_has_more_files_than_a_person_overlooks() -> None:
    files: dict[str, list[str]] = {}
    for module, path in MODULES.items():
        if path.name != "__init__.py":
            files.setdefault(package_of(module), []).append(path.name)

    assert {package: len(names) for package, names in files.items() if len(names) > FILES_IN_A_PACKAGE} == {}


def test_every_package_says_what_belongs_in_it() -> None:
    for module, path in MODULES.items():
        if path.name == "__init__.py":
            assert len((ast.get_docstring(ast.parse(path.read_text())) or "").split("\n\n")) >= 2, module


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("c1m.worker.shard.process", {"grpc"}),
        ("c1m.target.acceptor.process", {"grpc", "trio", "asyncio", "selectors"}),
    ],
)
def test_what_children_carry(module: str, absent: set[str]) -> None:
    """In a process that did what the zygote does before it forks."""
    program = f"import sys, c1m.processes.zygote, {module}; {module}.warm_up(); print(*sys.modules)"

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
