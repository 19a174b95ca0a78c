"""How a server proves to a worker that it is a c1m-target on the worker's run. Pure.

The coordinator gives both the same nonce. The worker connects to the port that the run will load and sends a challenge,
with which no other protocol begins. A target that knows the nonce answers with a keyed hash of the challenge; any other
server answers something else, and so does an echo server. So a worker never loads a server that has not agreed, whatever
its coordinator says.

BLAKE2 is a keyed hash by itself (RFC 7693). CPython has its own implementation, while `hashlib` would load OpenSSL into
every acceptor.
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
    """Return the nonce of a run unchanged if its length is valid.

    Raises UsageError if it is too short to be a secret or too long for the hash. Empty is allowed.
    """
    if given and not 16 <= len(given) <= MOST_NONCE_BYTES:
        raise UsageError(f"a nonce of {len(given)} bytes proves nothing; send 16 to {MOST_NONCE_BYTES} bytes")
    return given


def challenge(random: bytes) -> bytes:
    """Return the challenge, in bytes, with which a worker asks a server to prove that it is a target.

    ``random`` is 16 unpredictable bytes.
    """
    return HELLO + random


def answer(nonce: bytes, challenge: bytes) -> bytes:
    """Return the bytes with which a target that knows the nonce answers a worker's challenge."""
    return blake2b(challenge, key=nonce, digest_size=ANSWER_BYTES).digest()
