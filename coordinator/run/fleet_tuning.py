"""Tuning through the nodes. All nodes are asked for permission before the first setting is changed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from c1m.coordinator.fleet.channel import sentences
from c1m.coordinator.fleet.clients import TargetClient, WorkerClient
from c1m.coordinator.fleet.opening import fleet
from c1m.coordinator.fleet.survey import preflight_of, survey
from c1m.coordinator.planning.advice import TUNE_SCHEMA, Advice, advice_of, advice_summary, change_summary
from c1m.coordinator.spec.spec import RunSpec
from c1m.coordinator.summary.documents import TuneDocument
from c1m.errors import C1mError, RefusedError
from c1m.measure.sample import Change, Host
from c1m.v1 import target_pb2, worker_pb2
from c1m.wire import node_messages as wire

TUNE_SECONDS = 30.0  # a record is on the disk before each setting is written
ALLOW = "--allow-tune"


@dataclass(slots=True)
class Tuning:
    """The result of tuning: the advice for a total, and the settings that the nodes changed, by node.

    ``closed``: nodes without --allow-tune, which were not asked to restore anything. ``lost``: the error of each node that
    stopped answering.
    """

    total: int | None = None
    advice: Sequence[Advice] = ()
    changes: dict[str, list[Change]] = field(default_factory=dict)
    closed: Sequence[str] = ()
    lost: list[C1mError] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """The exit code of tuning: 0 if all is done, 1 if something is left to do, or the exit code of a node's error."""
        if self.lost:
            return self.lost[0].exit_code
        failed = any(change.reason for changes in self.changes.values() for change in changes)
        return 1 if failed or any(not each.is_tunable for each in self.advice) else 0

    @property
    def document(self) -> TuneDocument:
        """The JSON document on the tuning that ``c1m-coord tune --json`` writes."""
        return TuneDocument(
            schema=TUNE_SCHEMA,
            total=self.total,
            advice=tuple(map(advice_summary, self.advice)),
            changes=tuple(change_summary(node, change) for node, changes in self.changes.items() for change in changes),
            closed=tuple(self.closed),
            lost=tuple(str(error) for error in self.lost),
        )


async def apply(settings: RunSpec) -> Tuning:
    """Change the settings that the run needs changed, through the nodes. Return the advice and the changes.

    Raises RefusedError, before anything is changed, when a node forbids it or is busy.
    """
    async with fleet(settings, ALLOW) as (workers, target):
        surveyed = await survey(settings, workers, target)
        advice = advice_of(preflight_of(settings, surveyed))
        wanted: dict[str, dict[str, str]] = {}
        for each in advice:
            if each.is_tunable:
                wanted.setdefault(each.node, {})[each.setting] = each.wanted
        surveyed.check_free()
        check_tunable({name: host for name, host in surveyed.hosts.items() if name in wanted})
        tuning = Tuning(settings.total, advice)
        await everywhere(tuning, [node for node in nodes_of(workers, target) if node.name in wanted], surveyed.hosts, wanted)
        return tuning


async def undo(settings: RunSpec) -> Tuning:
    """Restore changed settings on the hosts of all nodes that permit it. Return the changes.

    Nodes that do not permit it are left out: ``apply`` does not ask them, so there is nothing to restore on their hosts. Raises
    RefusedError when no node permits it, or one is busy.
    """
    async with fleet(settings, ALLOW) as (workers, target):
        surveyed = await survey(settings, workers, target)
        surveyed.check_free()
        tuning = Tuning(closed=closed(surveyed.hosts))
        asked = [node for node in nodes_of(workers, target) if node.name not in tuning.closed]
        if not asked:
            check_tunable(surveyed.hosts)
        await everywhere(tuning, asked, surveyed.hosts, None)
        return tuning


def nodes_of(workers: Sequence[WorkerClient], target: TargetClient | None) -> list[WorkerClient | TargetClient]:
    """Return the clients of all nodes in one list: the workers, then the target if there is one."""
    return [*workers, *([target] if target else [])]


def closed(hosts: Mapping[str, Host]) -> list[str]:
    """Return the names of the given nodes that do not permit tuning."""
    return [name for name, host in hosts.items() if not host.tunable]


def check_tunable(hosts: Mapping[str, Host]) -> None:
    """Raise RefusedError if any of the given nodes does not permit tuning. Returns nothing."""
    if names := closed(hosts):
        raise RefusedError(
            f"{', '.join(names)}: does not let others change settings of its host, so nothing was changed on any host; start "
            f"it with {ALLOW}, or run the commands that c1m-coord tune prints"
        )


async def everywhere(
    tuning: Tuning,
    nodes: Sequence[WorkerClient | TargetClient],
    hosts: Mapping[str, Host],
    wanted: Mapping[str, Mapping[str, str]] | None,
) -> None:
    """Change settings on the hosts of the given nodes, or restore them. Changes and errors are added to ``tuning``.

    ``wanted``: settings by node; None: restore. Nodes of one host share one record, so they are called one after the other.
    Returns nothing.
    """
    by_host: dict[str, list[WorkerClient | TargetClient]] = {}
    for node in nodes:
        by_host.setdefault(hosts[node.name].boot_id, []).append(node)

    async def one_host(together: Sequence[WorkerClient | TargetClient]) -> None:
        for node in together:
            try:
                changes = await call(node, wanted[node.name] if wanted else {}, undo=wanted is None)
            except C1mError as error:  # the changes of other nodes are reported all the same
                tuning.lost.append(error)
            else:
                tuning.changes.update({node.name: changes} if changes else {})

    await asyncio.gather(*map(one_host, by_host.values()))


async def call(node: WorkerClient | TargetClient, wanted: Mapping[str, str], *, undo: bool) -> list[Change]:
    """Ask one node to change or restore settings of its host. Return the changes that it reports. Raises C1mError."""
    with sentences(node.name):
        if isinstance(node, WorkerClient):
            request = worker_pb2.TuneRequest(settings=wanted, undo=undo)
            return [wire.change_from_wire(change) for change in (await node.stub.Tune(request, timeout=TUNE_SECONDS)).changes]
        order = target_pb2.TargetServiceTuneRequest(settings=wanted, undo=undo)
        return [wire.change_from_wire(change) for change in (await node.stub.Tune(order, timeout=TUNE_SECONDS)).changes]
