"""The least Python that opens what reference.c's ``planned`` does: the interpreter's own price of a connection.

python bench/bare.py PAIRS PER_PAIR

No trio, no gRPC, no histogram, no limit kept, nothing counted but what says that it is done. What c1m costs beyond this is
c1m's; what this costs beyond C is Python's. One line of JSON on stdout, with the fields of reference.c; a failure is a
traceback, for whoever changes this file.
"""

from __future__ import annotations

import gc
import json
import mmap
import os
import signal
import sys
import time
from _socket import AF_INET, SO_REUSEADDR, SOCK_NONBLOCK, SOCK_STREAM, SOL_SOCKET, socket
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from select import EPOLLET, EPOLLIN, EPOLLOUT, EPOLLRDHUP, epoll

FIRST_LISTENING_PORT = 9000
FIRST_SOURCE_PORT = 10_000
SOURCES = "127.16.0.%d"
CHUNK = 64  # calls in a row, as c1m's opener makes them
BACKLOG = 4096
AWAY_SECONDS = 0.002  # of an acceptor that has emptied its queue
DEADLINE_SECONDS = 300
LOOK_SECONDS = 0.02
WATCHED = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET


class Board:
    """Shared with all children: of each, how many connections it has, and when it had the last one."""

    def __init__(self, slots: int) -> None:
        self.cells = memoryview(mmap.mmap(-1, 16 * slots)).cast("d")
        self.slots = slots

    def tell(self, slot: int, connections: int) -> None:
        self.cells[2 * slot], self.cells[2 * slot + 1] = connections, time.monotonic()

    @property
    def connections(self) -> int:
        return int(sum(self.cells[::2]))

    @property
    def last(self) -> float:
        return max(self.cells[1::2])


def listen_on(port: int) -> socket:
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK)
    listener.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(BACKLOG)
    return listener


def accept_all(listener: socket, board: Board, slot: int) -> None:
    waiting, poller, opened = epoll(), epoll(), 0
    waiting.register(listener.fileno(), EPOLLIN)
    while True:
        waiting.poll()
        try:
            while True:
                descriptor, _ = listener._accept()  # type: ignore[attr-defined]
                poller.register(descriptor, EPOLLIN | EPOLLRDHUP)
                opened += 1
        except BlockingIOError:
            board.tell(slot, opened)
        time.sleep(AWAY_SECONDS)


def places(count: int) -> Iterator[tuple[str, int]]:
    ports = 65_536 - FIRST_SOURCE_PORT
    return ((SOURCES % (1 + number // ports), FIRST_SOURCE_PORT + number % ports) for number in range(count))


def open_all(port: int, count: int, board: Board, slot: int) -> None:
    poller, established, destination, rest = epoll(), bytearray(count + CHUNK), ("127.0.0.1", port), places(count)
    opened = 0
    while opened < count:
        made = [(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK), place) for place in islice(rest, CHUNK)]
        for connection, place in made:
            connection.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
            connection.bind(place)
        for connection, _ in made:
            connection.connect_ex(destination)
        for connection, _ in made:
            poller.register(connection.detach(), WATCHED)
        for descriptor, events in poller.poll(0, 2 * CHUNK):
            if events == EPOLLOUT and not established[descriptor]:
                established[descriptor] = 1
                opened += 1
        board.tell(slot, opened)
    signal.pause()


def fork(role: Callable[[], None]) -> int:
    pid = os.fork()
    if not pid:
        gc.disable()
        signal.alarm(DEADLINE_SECONDS)
        role()
    return pid


def measure(pairs: int, per_pair: int) -> dict[str, object]:
    board = Board(2 * pairs)
    ready, go = os.pipe(), os.pipe()
    listeners = [listen_on(FIRST_LISTENING_PORT + pair) for pair in range(pairs)]

    def begin() -> None:
        os.write(ready[1], b".")
        os.read(go[0], 1)

    def accept(pair: int) -> None:
        begin()
        accept_all(listeners[pair], board, pair)

    def connect(pair: int) -> None:
        begin()
        open_all(FIRST_LISTENING_PORT + pair, per_pair, board, pairs + pair)

    children = [fork(partial(role, pair)) for role in (accept, connect) for pair in range(pairs)]
    try:
        for _ in children:
            os.read(ready[0], 1)
        start, total = time.monotonic(), pairs * per_pair
        os.write(go[1], b"." * len(children))
        while board.connections < 2 * total and time.monotonic() - start < DEADLINE_SECONDS:
            time.sleep(LOOK_SECONDS)
        ramp, opened = board.last - start, board.connections
    finally:
        closing = time.monotonic()
        for child in children:
            os.kill(child, signal.SIGKILL)
        for child in children:
            os.waitpid(child, 0)
    if opened < 2 * total:
        sys.exit(f"error: of {total:,} connections {opened:,} ends were there after {DEADLINE_SECONDS} s")
    return {
        "connections": total,
        "ramp_seconds": ramp,
        "connections_per_second": total / ramp,
        "close_seconds": time.monotonic() - closing,
    }


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]), int(sys.argv[2]))))
