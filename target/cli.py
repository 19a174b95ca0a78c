"""The c1m-target command."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

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
from c1m.errors import UsageError
from c1m.net.control_address import ControlAddress, parse_control_address
from c1m.net.ports import parse_ports
from c1m.node.serve import check_exposure, serve, warn_of_end
from c1m.processes.zygote_client import ZygoteClient
from c1m.target.node.listeners import Bind
from c1m.target.node.observer import Observer
from c1m.target.node.service import TargetService
from c1m.target.node.target_node import TargetNode, check_bind
from c1m.v1.target_pb2_grpc import add_TargetServiceServicer_to_server

Served = TypeVar("Served", TargetNode, Observer)

EXAMPLES = """
[bold]Examples[/bold]
  c1m-target                                          # control on loopback, data on all IPv4 addresses, ports 9000-9999
  c1m-target --bind 10.0.0.1 --listen 10.0.0.1:7200 --tls server
  c1m-target --bind 10.0.0.1 --listen unix:/run/c1m-target/control.sock   # commanded by who started it, and root
  c1m-target --bind '::' --single-port --ports 9000   # behind a load balancer, or a firewall with one hole
  c1m-target --allow-tune                             # as root: c1m-coord tune --apply may raise this host's limits
  c1m-target observe --port 80                        # beside nginx, or any other server: what a connection costs there

Nothing listens on the data ports until a run asks; how many acceptors it takes follows from the descriptors that one \
process may have.
"""
OBSERVE_EXAMPLES = """
[bold]Examples[/bold]
  c1m-target observe --port 80                        # the server that listens on port 80
  c1m-target observe --port 6379 --pid 4711           # that process and its children
  c1m-coord run --total 15k --endpoint 10.0.0.5:80 --target 10.0.0.5:7200   # the run that it observes
"""

app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)


@app.callback(invoke_without_command=True, epilog=EXAMPLES)
def target(
    context: typer.Context,
    bind: Annotated[str, typer.Option(help="Address that acceptors listen on; '::' is all IPv6 ones.")] = "0.0.0.0",
    ports: Annotated[str, typer.Option(help="Ports that acceptors listen on, one each.")] = "9000-9999",
    single_port: Annotated[
        bool,
        typer.Option("--single-port", help="All acceptors share one listening port, the first free one."),
    ] = False,
    only_run_sources: Annotated[
        bool,
        typer.Option("--only-run-sources", help="Take connections from addresses of the run's workers only."),
    ] = False,
    listen: Annotated[str, typer.Option(help=LISTEN_HELP)] = "127.0.0.1:7200",
    tls: Annotated[Path | None, typer.Option(help=TLS_HELP)] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help=INSECURE_HELP)] = False,
    allow_tune: Annotated[bool, typer.Option("--allow-tune", help=ALLOW_TUNE_HELP)] = False,
    with_parent: Annotated[bool, typer.Option("--with-parent", help=WITH_PARENT_HELP)] = False,
    version: Annotated[bool, version_option()] = False,  # noqa: ARG001 - typer shows it and leaves
) -> None:
    """Accept, echo and count TCP connections, as a c1m-coord run asks."""
    if context.invoked_subcommand:
        check_order(context)
        return
    address = option("--listen", lambda text: parse_control_address(text, 7200, allow_zero=True), listen)
    where = Bind(option("--bind", plain_address, bind), option("--ports", parse_ports, ports), single_port)
    check_exposure(address, tls, insecure=insecure)
    warn_of_end("c1m-target", tls)
    check_bind(where)

    def node(zygote: ZygoteClient, nursery: trio.Nursery) -> TargetNode:
        return TargetNode(zygote, nursery, where, only_run_sources=only_run_sources, tunable=allow_tune)

    trio.run(serve_target, address, tls, with_parent, node)


def check_order(context: typer.Context) -> None:
    """Raise UsageError for options of c1m-target before a sub-command, where they would have no effect."""
    for name in context.params:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            command = context.invoked_subcommand
            raise UsageError(f"--{name.replace('_', '-')} stands before {command}; write it after {command}, if it has it")


@app.command(epilog=OBSERVE_EXAMPLES)
def observe(
    port: Annotated[str, typer.Option(help="The server's port, or ports: 80, 9000-9010.")],
    pid: Annotated[
        int | None, typer.Option(help="The server's first process. Default: the process that listens there.", min=1)
    ] = None,
    listen: Annotated[str, typer.Option(help=LISTEN_HELP)] = "127.0.0.1:7200",
    tls: Annotated[Path | None, typer.Option(help=TLS_HELP)] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help=INSECURE_HELP)] = False,
    allow_tune: Annotated[bool, typer.Option("--allow-tune", help=ALLOW_TUNE_HELP)] = False,
    with_parent: Annotated[bool, typer.Option("--with-parent", help=WITH_PARENT_HELP)] = False,
) -> None:
    """Beside a server that is not c1m's: count its connections, and what they cost it and its host."""
    address = option("--listen", lambda text: parse_control_address(text, 7200, allow_zero=True), listen)
    ports = option("--port", parse_ports, port)
    check_exposure(address, tls, insecure=insecure)
    warn_of_end("c1m-target", tls)

    def observer(zygote: ZygoteClient, nursery: trio.Nursery) -> Observer:
        return Observer(zygote, nursery, ports, pid, tunable=allow_tune)

    trio.run(serve_target, address, tls, with_parent, observer)


async def serve_target(
    address: ControlAddress, tls: Path | None, with_parent: bool, make: Callable[[ZygoteClient, trio.Nursery], Served]
) -> None:
    await serve(
        "c1m-target",
        "c1m.target.acceptor.process",
        address,
        tls,
        with_parent=with_parent,
        make=make,
        add=lambda node, rpc_server, server: add_TargetServiceServicer_to_server(TargetService(rpc_server, node), server),
    )


def plain_address(text: str) -> str:
    """Return the address. Raises ValueError for anything but an address."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(f"{text!r} is not an address; write one of this machine's, or 0.0.0.0 or :: for all") from None


def main() -> None:
    main_of(app)
