"""The words of the inbox: states, verdicts, places, and what a command may be about."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class TriageState(StrEnum):
    """What was decided about an envelope.

    ``fixed`` is never set by hand: only a proof sets it.
    """

    OPEN = "open"
    FIXED = "fixed"
    REDRIVEN = "redriven"
    IGNORED = "ignored"
    DISCARDED = "discarded"


class Origin(StrEnum):
    """Who wrote an envelope.

    ``dead_letter`` is an output of a flow of ours that could not be delivered.
    """

    LOOM = "loom"
    LOOM_KERNEL = "loom-kernel"
    KAFKA_CONNECT = "kafka-connect"
    KAFKA_STREAMS = "kafka-streams"
    SPRING = "spring"
    DEAD_LETTER = "dead_letter"


class InboxFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which envelopes are shown. All that is given must hold.

    Attributes:
        text: What reason, exception type, key or value must hold; upper and lower case are alike.
        key: What the key must hold.
        node: Name of the node; empty for all.
        from_offset: Least offset of the record that failed.
        to_offset: Greatest offset of it.
        states: States that are shown; none means all.
    """

    text: str = ""
    key: str = ""
    node: str = ""
    from_offset: int | None = None
    to_offset: int | None = None
    states: tuple[TriageState, ...] = ()


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Envelopes that a command is about. The first that is given counts.

    Attributes:
        envelopes: These, by id, kept ones.
        group: Every envelope of this group, those that are only counted included.
        filter: Every kept envelope that this filter lets through.
        everything: Every envelope, those that are only counted included.
    """

    envelopes: tuple[str, ...] = ()
    group: str | None = None
    filter: InboxFilter | None = None
    everything: bool = False


class RedriveGoal(StrEnum):
    """Where records are redriven to.

    ``source``: the source topic, same partition and key. ``topic``: another topic, by key.
    ``flow``: straight through the flow in a trace host; what comes out is written to its topics.
    """

    SOURCE = "source"
    TOPIC = "topic"
    FLOW = "flow"


class RedriveTarget(msgspec.Struct, frozen=True, kw_only=True):
    """Where records are redriven to.

    Attributes:
        goal: The kind of target.
        topic: The topic, for the goal ``topic``.
    """

    goal: RedriveGoal = RedriveGoal.SOURCE
    topic: str = ""
