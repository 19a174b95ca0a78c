"""The c1m-worker command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import trio

from c1m.app.cli import main_of, option
from c1m.app.frame import Command, Version, in_panel, new_app
from c1m.app.node_options import AllowTune, Insecure, Listen, Tls, WithParent
from c1m.net.addresses import parse_sources
from c1m.net.control_address import ControlAddress, parse_control_address
from c1m.net.ports import parse_ports
from c1m.node.serve import check_exposure, serve, warn_of_end
from c1m.processes.zygote_client import ZygoteClient
from c1m.text.units import parse_bits, parse_count, parse_rate
from c1m.v1.worker_pb2_grpc import add_WorkerServiceServicer_to_server
from c1m.worker.node.allow_list import AllowList, parse_allowance
from c1m.worker.node.quotas import Quotas, of_one_at_least
from c1m.worker.node.service import WorkerService
from c1m.worker.node.worker_node import WorkerNode

from .node import sources

SOURCES, PERMISSIONS, LIMITS = "Sources", "Permissions", "Limits"

app = new_app()

EXAMPLES = """
[bold]Examples[/bold]
  c1m-worker                                          # source addresses: those of the interface that routes to the target
  c1m-worker --source 10.0.0.10-10.0.0.25             # sixteen addresses of this machine
  c1m-worker --allow 10.0.0.0/24:80                   # runs may load these servers with --endpoint
  c1m-worker --allow-slow 10.0.0.5:80                 # runs may also send slow clients to this server
  c1m-worker --most-connections 50k --most-rate 5k --most-bandwidth 100M    # upper bounds for every run; bits per second
  c1m-worker --allow-tune                             # as root: c1m-coord tune --apply may change this host's limits
  c1m-worker --listen unix:/run/c1m-worker/control.sock   # only this user and root get access
  c1m-worker --source eth0,10.201.0.0/16 --listen 10.0.0.2:7100 --tls client-1

Each source address allows up to 64,512 connections to each address and port of the target. To make a whole prefix local: \
ip route add local 10.201.0.0/16 dev lo
"""


@app.command(cls=Command, epilog=EXAMPLES)
def worker(
    source: Annotated[
        list[str] | None,
        in_panel(
            SOURCES,
            "Source addresses: an address, a range, a CIDR prefix or an interface. Separate by commas or repeat. "
            "Default: those of the interface that routes to the target.",
        ),
    ] = None,
    ports: Annotated[
        str | None,
        in_panel(
            SOURCES,
            "Source ports: 1024-65535. Default: all except those that the kernel and this machine's programs use.",
        ),
    ] = None,
    allow: Annotated[
        list[str] | None,
        in_panel(
            PERMISSIONS,
            r"Server that runs may load with --endpoint: HOST or CIDR, and \[:PORTS]. Repeat for more. "
            "Loopback and the run's c1m-target are always allowed.",
        ),
    ] = None,
    allow_slow: Annotated[
        list[str] | None,
        in_panel(
            PERMISSIONS,
            "Server that runs may also load with slow clients (--trickle, --half-open), in the same forms. Repeat for more.",
        ),
    ] = None,
    most_connections: Annotated[
        str | None, in_panel(LIMITS, "Most connections that any run may open on this node: 50k. Default: unlimited.")
    ] = None,
    most_rate: Annotated[
        str | None, in_panel(LIMITS, "Most connections per second that any run may open on this node: 5k. Default: unlimited.")
    ] = None,
    most_bandwidth: Annotated[
        str | None,
        in_panel(LIMITS, "Most bits per second that any run may send from this node: 100M, 1Gbit/s. Default: unlimited."),
    ] = None,
    listen: Listen = "127.0.0.1:7100",
    tls: Tls = None,
    insecure: Insecure = False,
    allow_tune: AllowTune = False,
    with_parent: WithParent = False,
    version: Version = False,  # noqa: ARG001 - its callback prints it and exits
) -> None:
    """Open and hold TCP connections on behalf of c1m-coord."""
    wanted = option("--source", parse_sources, ",".join(source)) if source else ()
    wanted_ports = option("--ports", parse_ports, ports) if ports else None
    address = option("--listen", lambda text: parse_control_address(text, 7100, allow_zero=True), listen)

    allowed = AllowList(
        [option("--allow", parse_allowance, text) for text in allow or ()],
        [option("--allow-slow", parse_allowance, text) for text in allow_slow or ()],
    )
    ceilings = Quotas(
        option("--most-connections", of_one_at_least(parse_count), most_connections) if most_connections else None,
        option("--most-rate", of_one_at_least(parse_rate), most_rate) if most_rate else None,
        option("--most-bandwidth", of_one_at_least(parse_bits), most_bandwidth) if most_bandwidth else None,
    )

    check_exposure(address, tls, insecure=insecure)
    warn_of_end("c1m-worker", tls)
    sources.check_local(sources.resolve(wanted))

    def node(zygote: ZygoteClient, nursery: trio.Nursery) -> WorkerNode:
        return WorkerNode(zygote, nursery, wanted, wanted_ports, allowed, ceilings, tunable=allow_tune)

    trio.run(serve_worker, address, tls, with_parent, node)


async def serve_worker(
    address: ControlAddress, tls: Path | None, with_parent: bool, make: Callable[[ZygoteClient, trio.Nursery], WorkerNode]
) -> None:
    """Serve a worker's gRPC calls until the program is asked to stop. ``make`` creates the node."""
    await serve(
        "c1m-worker",
        "c1m.worker.shard.process",
        address,
        tls,
        with_parent=with_parent,
        make=make,
        add=lambda node, rpc_server, server: add_WorkerServiceServicer_to_server(WorkerService(rpc_server, node), server),
    )


def main() -> None:
    main_of(app)
