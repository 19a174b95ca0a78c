"""A bell, which whoever has something to tell at once rings, so that nobody waits for the next report."""

from __future__ import annotations

import trio


class Bell:
    """Rung while nobody listens, it is heard by who listens next."""

    def __init__(self) -> None:
        self.rung = trio.Event()

    def ring(self) -> None:
        self.rung.set()

    async def wait(self, seconds: float) -> None:
        """Until it rings, and so long at most."""
        with trio.move_on_after(seconds):
            await self.rung.wait()
        self.rung = trio.Event()
