"""Messages of nodes made small for the journal: a node's sample says nearly what the one before it said. Pure."""

from __future__ import annotations

import zlib

LEVEL = 6


class SampleCompression:
    """Packs, or unpacks, all messages of all nodes in their order; each in the words of an earlier one of its node.

    A sample with a reading is tens of times as long as one without, and most of it are names: the newest long one is
    the dictionary of those that follow. 32 kB of it count (zlib's window).
    """

    def __init__(self) -> None:
        self.words: dict[str, bytes] = {}

    def pack(self, node: str, message: bytes) -> bytes:
        packer = zlib.compressobj(LEVEL, zdict=self.words.get(node, b""))
        self.learn(node, message)
        return packer.compress(message) + packer.flush()

    def unpack(self, node: str, packed: bytes) -> bytes:
        """Raises zlib.error for what was not packed like this, after the same messages."""
        unpacker = zlib.decompressobj(zdict=self.words.get(node, b""))
        message = unpacker.decompress(packed) + unpacker.flush()
        self.learn(node, message)
        return message

    def learn(self, node: str, message: bytes) -> None:
        if 2 * len(message) >= len(self.words.get(node, b"")):
            self.words[node] = message
