"""The c1m-worker command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import trio
import typer

from c1m.app.cli import (
    ALLOW_TUNE_HELP,
    INSECURE_HELP,
    LISTEN_HELP,
    TLS_HELP,
    WITH_PARENT_HELP,
    main_of,
    option,
    version_option,
)
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

app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)

EXAMPLES = """
[bold]Examples[/bold]
  c1m-worker                                          # the addresses of the interface that routes to the target
  c1m-worker --source 10.0.0.10-10.0.0.25             # sixteen addresses of this machine
  c1m-worker --allow 10.0.0.0/24:80                   # these servers may be loaded with --endpoint
  c1m-worker --allow-slow 10.0.0.5:80                 # this one may also be held up by slow clients
  c1m-worker --most-connections 50k --most-rate 5k --most-bandwidth 100M    # whatever a run asks for; bits a second
  c1m-worker --allow-tune                             # as root: c1m-coord tune --apply may raise this host's limits
  c1m-worker --listen unix:/run/c1m-worker/control.sock   # commanded by the user who started it, and root
  c1m-worker --source eth0,10.201.0.0/16 --listen 10.0.0.2:7100 --tls client-1

A source address gives up to 64,512 connections to each address and port of the target. A whole prefix becomes local with \
ip route add local 10.201.0.0/16 dev lo
"""


@app.command(epilog=EXAMPLES)
def worker(
    source: Annotated[
        list[str] | None,
        typer.Option(help="Source addresses: an address, a range, a CIDR or an interface; repeat, or separate by commas."),
    ] = None,
    ports: Annotated[
        str | None,
        typer.Option(
            help="Client ports, such as 1024-65535. Default: all but those the kernel and this machine's programs use."
        ),
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            help="What may be loaded from here, besides loopback and c1m-targets of the run: CIDR or HOST, "
            r"\[:PORTS]; repeat."
        ),
    ] = None,
    allow_slow: Annotated[
        list[str] | None,
        typer.Option(help="What may also be held up by slow clients (--trickle, --half-open), in the same forms; repeat."),
    ] = None,
    most_connections: Annotated[
        str | None, typer.Option(help="Connections that no run may exceed here. Default: no such limit.")
    ] = None,
    most_rate: Annotated[
        str | None, typer.Option(help="Connections a second that no run may exceed here. Default: no such limit.")
    ] = None,
    most_bandwidth: Annotated[
        str | None,
        typer.Option(help="Bits a second that no run may send from here: 100M, 1Gbit/s. Default: no such limit."),
    ] = None,
    listen: Annotated[str, typer.Option(help=LISTEN_HELP)] = "127.0.0.1:7100",
    tls: Annotated[Path | None, typer.Option(help=TLS_HELP)] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help=INSECURE_HELP)] = False,
    allow_tune: Annotated[bool, typer.Option("--allow-tune", help=ALLOW_TUNE_HELP)] = False,
    with_parent: Annotated[bool, typer.Option("--with-parent", help=WITH_PARENT_HELP)] = False,
    version: Annotated[bool, version_option()] = False,  # noqa: ARG001 - typer shows it and leaves
) -> None:
    """Open and hold TCP connections, as a c1m-coord run asks."""
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
