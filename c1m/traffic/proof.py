"""How a server proves to a worker that it is a c1m-target, and on the worker's run. Pure.

The coordinator gives both the same nonce. Over a connection to the port that the run will load, the worker sends a challenge,
which no other protocol begins with; whoever knows the nonce answers with a keyed hash of it, and anybody else with something
else, an echo included. So a worker loads nobody who has not said yes, whatever it is told.

BLAKE2 is a keyed hash by itself (RFC 7693), and CPython's own: `hashlib` would bring OpenSSL into every acceptor.
"""

from __future__ import annotations

from _blake2 import blake2b

from c1m.errors import UsageError

HELLO = b"c1m-target? run?"
CHALLENGE_BYTES = len(HELLO) + 16
ANSWER_BYTES = 32
NONCE_BYTES = 32
MOST_NONCE_BYTES = 64


def nonce_of(given: bytes) -> bytes:
    """Raises UsageError for one that is too short to be a secret, or longer than the hash takes."""
    if given and not 16 <= len(given) <= MOST_NONCE_BYTES:
        raise UsageError(f"a nonce of {len(given)} bytes proves nothing; it takes 16 to {MOST_NONCE_BYTES}")
    return given


def challenge(random: bytes) -> bytes:
    """``random``: 16 bytes that nobody could have known before."""
    return HELLO + random


def answer(nonce: bytes, challenge: bytes) -> bytes:
    return blake2b(challenge, key=nonce, digest_size=ANSWER_BYTES).digest()
