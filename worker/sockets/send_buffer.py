"""What is sent over connections, and what a peer has had no room for yet."""

from __future__ import annotations

from os import write

from c1m.measure.tally import cause_of


class SendBuffer:
    """Keeps order: while something of a connection waits, what is sent after it waits behind it."""

    def __init__(self) -> None:
        self.unsent: dict[int, bytes] = {}  # descriptor -> bytes; empty but for peers that do not read
        self.bytes_sent = 0

    def send(self, descriptor: int, data: bytes) -> str:
        """Why the connection has ended; empty when it has not."""
        if self.unsent:
            data = self.unsent.pop(descriptor, b"") + data
        try:
            sent = write(descriptor, data)
        except BlockingIOError:
            sent = 0
        except OSError as failure:
            return cause_of(failure)
        self.bytes_sent += sent
        if sent < len(data):
            self.unsent[descriptor] = data[sent:]
        return ""

    def flush(self, descriptor: int) -> str:
        """The peer has room again. Answers as ``send`` does."""
        return self.send(descriptor, b"") if descriptor in self.unsent else ""

    def forget(self, descriptor: int) -> None:
        self.unsent.pop(descriptor, None)
