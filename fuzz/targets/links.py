"""The link between a node's control process and its children: whole packets, which are a message or a ValueError.

Both ends are one program of one installation, and the socketpair between them has no name: no stranger's bytes come over it.
What is tried is what a defect of ours could send. marshal makes room for as many items as a header claims before it looks for
them, so that a few bytes may ask for gigabytes, and believes whatever refers back into a message: such bytes are left out.
"""

from __future__ import annotations

from random import Random

from c1m.processes import link
from fuzzed import Target, tried

SCALARS = (None, True, False, 0, -1, 2**31, 2**63, 2**70, 1.5, "", "tally", "é", b"\0\xff")
GREEDY = frozenset(ord(code) | flag for code in "([<>l{crR" for flag in (0, 0x80))


def check(data: bytes) -> str:
    """Noise, where the first byte is even; otherwise what a message made by that chance is after the way, whole and cut off."""
    if not data or data[0] % 2 == 0:
        return tried(link.decode, bytes(byte for byte in data[1:] if byte not in GREEDY))
    chance = Random(data)
    message = {"message": value(chance)}
    packet = link.encode(message)
    assert link.decode(packet) == message
    return tried(link.decode, packet[: chance.randrange(len(packet))])


def value(chance: Random, depth: int = 0) -> object:
    match chance.randrange(8 if depth < 3 else 5):
        case 5:
            return [value(chance, depth + 1) for _ in range(chance.randrange(4))]
        case 6:
            return tuple(value(chance, depth + 1) for _ in range(chance.randrange(4)))
        case 7:
            return {chance.choice(SCALARS): value(chance, depth + 1) for _ in range(chance.randrange(4))}
        case _:
            return chance.choice(SCALARS)


TARGETS = (
    Target("link", (b"\1", b"\0T", b"\0\xf3\xc3~\xe8U"), lambda chance: chance.randbytes(chance.randrange(1, 40)), check),
)
