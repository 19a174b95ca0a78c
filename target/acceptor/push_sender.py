"""Server push: sends to each connection at a rate, unasked, as the servers of a push service do."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from c1m.traffic import push
from c1m.traffic.phase_sweep import PhaseSweep
from c1m.traffic.push import MESSAGE, Push

CHUNK = 64  # messages before anything else gets its turn
MOST_MARKS = 4096  # slots swept in one go where few connections are open
SHORTEST_TICK, LONGEST_TICK = 0.01, 0.1  # seconds between two turns of the sweep
TICKS_AN_INTERVAL = 50


class PushSender:
    """Sends messages to each connection of an acceptor at a rate.

    The state of descriptors belongs to the acceptor. ``send`` takes a descriptor and bytes, and does not raise.
    """

    def __init__(
        self, wanted: Push, state: bytearray, unsent: Mapping[int, bytes], send: Callable[[int, bytes], None], start: float
    ) -> None:
        self.state = state
        self.unsent = unsent
        self.send = send
        self.hand = PhaseSweep(len(state), wanted.interval, start)
        self.tick = min(max(wanted.interval / TICKS_AN_INTERVAL, SHORTEST_TICK), LONGEST_TICK)
        self.sent = self.held_back = 0

    def act(self, now: float, open_now: int) -> float:
        """Send the push messages that are due, and return when to call again, in monotonic seconds.

        ``open_now`` is the number of connections.
        """
        for descriptor in self.hand.advance(now, min(CHUNK * self.hand.marks // max(open_now, 1) + 1, MOST_MARKS)):
            if self.state[descriptor]:
                if descriptor in self.unsent:
                    self.held_back += 1
                else:
                    self.sent += 1
                    self.send(descriptor, MESSAGE)
        return now if self.hand.behind(now) else now + self.tick

    def counts(self, stray: int) -> dict[str, int]:
        """Return {name: count} of the pushes that were sent and held back.

        ``stray`` is how many of those sent went to connections that do not belong to the run.
        """
        return {push.SENT: self.sent - stray, push.HELD_BACK: self.held_back}
