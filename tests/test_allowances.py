"""Which servers a worker lets slow clients hold up: those that its operator named, and no others."""

import pytest

from c1m.errors import RefusedError
from c1m.ports import PortRanges
from c1m.routes import Address
from c1m.worker.allowances import Allowance, check, parse_allowance


@pytest.mark.parametrize(
    ("text", "host", "ports"),
    [
        ("10.0.0.5", "10.0.0.5", None),
        (" srv ", "srv", None),
        ("10.0.0.5:80", "10.0.0.5", PortRanges(((80, 80),))),
        ("srv:8000-8010", "srv", PortRanges(((8000, 8010),))),
        ("[fd00::1]:80", "fd00::1", PortRanges(((80, 80),))),
        ("fd00::1", "fd00::1", None),
        ("[fd00::1]", "fd00::1", None),
    ],
)
def test_forms(text: str, host: str, ports: PortRanges | None) -> None:
    assert parse_allowance(text) == Allowance(host, ports)


@pytest.mark.parametrize("text", ["", ":80", "a b", "10.0.0.5:x", "10.0.0.5:0", "[fd00::1"])
def test_what_is_none_is_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="write"):
        parse_allowance(text)


@pytest.mark.parametrize(
    ("allowed", "destination", "fits"),
    [
        ((), ("127.0.0.1", 80), False),
        (("127.0.0.1",), ("127.0.0.1", 80), True),
        (("127.0.0.1:80",), ("127.0.0.1", 80), True),
        (("127.0.0.1:80-90",), ("127.0.0.1", 91), False),
        (("127.0.0.2", "localhost:80"), ("127.0.0.1", 80), True),
        (("127.0.0.2",), ("127.0.0.1", 80), False),
        (("::1",), ("::1", 80), True),
    ],
)
def test_named_is_allowed_and_nothing_else(allowed: tuple[str, ...], destination: Address, fits: bool) -> None:
    allowances = [parse_allowance(text) for text in allowed]
    if fits:
        check(allowances, [destination])
    else:
        with pytest.raises(RefusedError, match="--allow-slow"):
            check(allowances, [destination])
