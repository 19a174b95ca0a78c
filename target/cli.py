"""The c1m-target command."""

from __future__ import annotations

import ipaddress
from typing import Annotated

import trio
import typer

from c1m.cli import LISTEN_HELP, main_of, option, version_option
from c1m.endpoints import parse_host_port
from c1m.ports import parse_ports
from c1m.program import check_exposure, serve
from c1m.v1.target_pb2_grpc import add_TargetServiceServicer_to_server

from .listeners import Bind
from .node import TargetNode, check_bind
from .service import TargetService

app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)

EXAMPLES = """
[bold]Examples[/bold]

  c1m-target                                          # control on loopback, data on all IPv4 addresses, ports 9000-9999

  c1m-target --bind 10.0.0.1 --listen 10.0.0.1:7200 --insecure

  c1m-target --bind '::' --single-port --ports 9000   # behind a load balancer, or a firewall with one hole

Nothing listens on the data ports until a run asks; how many acceptors it takes follows from the descriptors that one
process may have.
"""


@app.command(epilog=EXAMPLES)
def target(
    bind: Annotated[str, typer.Option(help="Address that acceptors listen on; '::' is all IPv6 ones.")] = "0.0.0.0",
    ports: Annotated[str, typer.Option(help="Ports that acceptors listen on, one each.")] = "9000-9999",
    single_port: Annotated[
        bool,
        typer.Option("--single-port", help="All acceptors share one listening port, the first free one."),
    ] = False,
    listen: Annotated[str, typer.Option(help=LISTEN_HELP)] = "127.0.0.1:7200",
    insecure: Annotated[
        bool,
        typer.Option("--insecure", help="Let control listen on an address that is not loopback, without TLS."),
    ] = False,
    with_parent: Annotated[
        bool,
        typer.Option("--with-parent", help="Leave when standard input ends, as it does when its writer dies."),
    ] = False,
    version: Annotated[bool, version_option()] = False,  # noqa: ARG001 - typer shows it and leaves
) -> None:
    """Accept, echo and count TCP connections, as a c1m-coord run asks."""
    address = option("--listen", lambda text: parse_host_port(text, 7200, allow_zero=True), listen)
    where = Bind(option("--bind", plain_address, bind), option("--ports", parse_ports, ports), single_port)
    check_exposure(address, insecure=insecure)
    check_bind(where)

    async def run() -> None:
        await serve(
            "c1m-target",
            "c1m.target.acceptor",
            address,
            with_parent=with_parent,
            make=lambda zygote, nursery: TargetNode(zygote, nursery, where),
            add=lambda node, seam, server: add_TargetServiceServicer_to_server(TargetService(seam, node), server),
        )

    trio.run(run)


def plain_address(text: str) -> str:
    """Raises ValueError for anything but an address."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(f"{text!r} is not an address; write one of this machine's, or 0.0.0.0 or :: for all") from None


def main() -> None:
    main_of(app)
