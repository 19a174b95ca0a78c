"""Checks what a target pushes, message by message, and separates it from the answers to heartbeats."""

from __future__ import annotations

import math
from collections.abc import Sequence

from c1m.traffic import push
from c1m.traffic.push import KIND, MESSAGE

from .heartbeat_sender import KIND as BEAT
from .heartbeat_sender import Heartbeats


class PushCheck:
    """Checks the messages that a target pushes to connections, and separates them from heartbeat answers.

    The target writes each message and each echo whole, one after another.
    """

    def __init__(self, heartbeats: Heartbeats | None) -> None:
        """Create the check of pushed messages. ``heartbeats`` receives the echoes; None means that there are no heartbeats."""
        self.heartbeats = heartbeats
        self.partial: dict[int, bytes] = {}  # descriptor -> the beginning of a message that arrived in parts
        self.received = self.wrong_bytes = 0

    def act(self, now: float) -> float:
        return self.heartbeats.act(now) if self.heartbeats else math.inf

    def opened(self, descriptor: int, now: float) -> None:
        """Do nothing for a new connection: the target begins to push within an interval."""

    def heard_all(self, descriptors: Sequence[int], said: Sequence[bytes], now: float) -> None:
        if not self.partial and all(data == MESSAGE for data in said):
            self.received += len(said)
            return
        for descriptor, data in zip(descriptors, said, strict=True):
            self.heard(descriptor, data, now)

    def heard(self, descriptor: int, data: bytes, now: float) -> None:
        data = self.partial.pop(descriptor, b"") + data
        while data:
            message = data[: self.length(data)]
            if len(message) < self.length(data):
                self.partial[descriptor] = data
                return
            self.take(descriptor, message, now)
            data = data[len(message) :]

    def length(self, data: bytes) -> int:
        """Return the length in bytes of the message, a push or a heartbeat answer, that begins with ``data``."""
        if data.startswith(KIND):
            return len(MESSAGE)
        if data.startswith(BEAT) and self.heartbeats:
            return self.heartbeats.wanted.payload
        return len(data)

    def take(self, descriptor: int, message: bytes, now: float) -> None:
        if message == MESSAGE:
            self.received += 1
        elif message.startswith(BEAT) and self.heartbeats:
            self.heartbeats.heard(descriptor, message, now)
        else:
            self.wrong_bytes += len(message)

    def gone(self, descriptor: int, now: float) -> None:
        self.partial.pop(descriptor, None)
        if self.heartbeats:
            self.heartbeats.gone(descriptor, now)

    def counts(self) -> dict[str, int]:
        return {push.RECEIVED: self.received, push.WRONG_BYTES: self.wrong_bytes}
