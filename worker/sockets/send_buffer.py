"""Bytes to be sent over connections for which the peer's window has had no room yet."""

from __future__ import annotations

from os import write

from c1m.measure.tally import cause_of


class SendBuffer:
    """Sends bytes over connections and keeps what a peer has no room for.

    It keeps the order: while bytes of a connection wait, what is sent later waits behind them.
    """

    def __init__(self) -> None:
        self.unsent: dict[int, bytes] = {}  # descriptor -> bytes that wait because the peer does not read
        self.bytes_sent = 0

    def send(self, descriptor: int, data: bytes) -> str:
        """Send bytes over a connection, or keep them until the peer has room.

        Return the cause if the connection has ended, otherwise an empty string.
        """
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
        """Send the bytes that wait on a connection, because its peer has room again.

        Return the cause if the connection has ended, otherwise an empty string.
        """
        return self.send(descriptor, b"") if descriptor in self.unsent else ""

    def forget(self, descriptor: int) -> None:
        self.unsent.pop(descriptor, None)
