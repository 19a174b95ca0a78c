"""Which address of a name a run connects to. The resolver is made up, the sockets are real."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Coroutine
from contextlib import closing
from typing import Any, TypeVar

import pytest
from hosts import HOST

from c1m.coordinator.fleet.descriptions import DescribedTarget
from c1m.coordinator.fleet.names import ChosenAddress, accepting_of, first_of
from c1m.coordinator.fleet.survey import listening_of
from c1m.errors import UsageError
from c1m.net.endpoints import Endpoint
from c1m.net.ports import PortRanges

T = TypeVar("T")
NAMES = {"both": ["::1", "127.0.0.1"], "four": ["127.0.0.1"], "six": ["::1"], "far": ["::1", "127.0.0.2"]}


class Resolver(asyncio.SelectorEventLoop):
    """A loop that knows NAMES, and addresses."""

    async def getaddrinfo(self, host: Any, port: Any, **words: Any) -> Any:
        if host in NAMES:
            return [(socket.AF_INET6 if ":" in each else socket.AF_INET, 1, 6, "", (each, 0)) for each in NAMES[host]]
        if ":" not in host and not host[0].isdigit():
            raise socket.gaierror(-2, "Name or service not known")
        return await super().getaddrinfo(host, port, **words)


def asked(work: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=Resolver) as runner:
        return runner.run(work)


def target_on(bind: str) -> DescribedTarget:
    return DescribedTarget(HOST, bind, PortRanges(((9000, 9000),)), single_port=False, busy_with="")


def test_an_endpoint_with_one_address_is_not_tried() -> None:
    assert asked(accepting_of(Endpoint("four", PortRanges(((1, 1),))))) == ("four", "127.0.0.1", ())


def test_of_several_addresses_the_one_that_accepts_is_used() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
        found = asked(accepting_of(Endpoint("both", PortRanges(((port, port),)))))

    assert found.sentence == "both is 127.0.0.1; its other addresses are not used: ::1"


def test_where_none_accepts_the_first_is_used() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    assert asked(accepting_of(Endpoint("far", PortRanges(((port, port),))))).address == "::1"


def test_an_address_needs_no_sentence() -> None:
    assert asked(accepting_of(Endpoint("127.0.0.9", PortRanges(((1, 1),))))).sentence == ""
    assert ChosenAddress("::1", "::1").sentence == ""


@pytest.mark.parametrize(("version", "address"), [(4, "127.0.0.1"), (6, "::1"), (None, "::1")])
def test_the_first_address_of_an_ip_version(version: int | None, address: str) -> None:
    found = asked(first_of("both", version))
    assert found is not None
    assert found.address == address


@pytest.mark.parametrize(("bind", "address"), [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("127.0.0.1", "127.0.0.1")])
def test_a_target_is_reached_where_it_listens(bind: str, address: str) -> None:
    assert asked(listening_of("both", "--data-host", "target t:7200", target_on(bind))).address == address


def test_a_name_without_an_address_of_the_targets_family_is_refused() -> None:
    with pytest.raises(UsageError, match=r"listens on 0\.0\.0\.0, and --data-host six is of the other family and has no IPv4"):
        asked(listening_of("six", "--data-host", "target t:7200", target_on("0.0.0.0")))


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot resolve 'nowhere'"):
        asked(first_of("nowhere"))
