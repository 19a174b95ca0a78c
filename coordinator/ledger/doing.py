"""What a run is doing at a moment, and the roles of its nodes: values for decisions, journal and timeline. Pure."""

from __future__ import annotations

import enum


class Doing(enum.StrEnum):
    """What a run is doing. The values are those of the journal and of the summary, and do not change.

    The words that a person sees are in coordinator/report/doing_words.py.
    """

    OPENING = "opening"  # to one goal
    FOLLOWING = "following"  # a schedule of several stages
    HOLDING = "holding"
    COMPARING = "comparing"  # the counts of both sides
    WAKING = "waking"  # this coordinator stood still, and waits until it has received a sample of each node
    CALMING = "calming"  # waits until no connection is being replaced
    QUIETENING = "quietening"  # waits until no push is on its way
    CLOSING = "closing"


class Role(enum.StrEnum):
    """What a node is for a run. The values are those of the journal and of the summary."""

    WORKER = "worker"
    TARGET = "target"
