"""What comes of one batch: gathered while its records go through the nodes of a segment."""

from __future__ import annotations

from typing import Any

from loom_runtime.errors import ErrorEnvelope
from loom_runtime.message import Message

Offsets = list[int]
Messages = list[Message[Any]]
Pair = tuple[Offsets, Messages]


class Outcome:
    """Writes, failures, drops and hand-overs of one batch, each with its source offsets.

    Attributes:
        writes: ``(port, offsets, outputs)``.
        failures: ``(offset, envelope)``.
        filtered: Offset of every token that ended without an output.
        forwards: ``(exchange, offsets, messages)``, for nodes that hold.
        keyed: ``(exchange, [(key, offset, message)])``, for nodes with keyed state.
    """

    __slots__ = ("failures", "filtered", "forwards", "keyed", "writes")

    def __init__(self) -> None:
        self.writes: list[tuple[int, Offsets, list[Any]]] = []
        self.failures: list[tuple[int, ErrorEnvelope[Any]]] = []
        self.filtered: Offsets = []
        self.forwards: list[tuple[int, Offsets, Messages]] = []
        self.keyed: list[tuple[int, list[tuple[str, int, Message[Any]]]]] = []

    def add(self, other: Outcome) -> None:
        """Take in everything that *other* gathered."""
        self.writes += other.writes
        self.failures += other.failures
        self.filtered += other.filtered
        self.forwards += other.forwards
        self.keyed += other.keyed

    def join(self) -> None:
        """Make one entry of all writes to a port, and one of all that one exchange is handed."""
        self.writes = _joined(self.writes)
        self.forwards = _joined(self.forwards)


def _joined(entries: list[tuple[int, Offsets, list[Any]]]) -> list[tuple[int, Offsets, list[Any]]]:
    if len(entries) < 2:
        return entries
    joined: dict[int, tuple[Offsets, list[Any]]] = {}
    for destination, offsets, items in entries:
        found = joined.get(destination)
        if found is None:
            # Copies: branches may share the lists.
            joined[destination] = [*offsets], [*items]
        else:
            found[0].extend(offsets)
            found[1].extend(items)
    return [(destination, *lists) for destination, lists in joined.items()]
