"""The ledger: what became of every record that was read, per source partition, exactly.

A *token* stands for one descendant of a source record that is still under way. Reading a record
makes one token, every node that fans out makes more, and every end closes one. When a source
record's last token is closed it has one fate, the gravest of its tokens' ends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntFlag

import msgspec

from loom_runtime.model import LoomFrozenStruct


class Fate(IntFlag):
    """How a token ended; of several the highest bit is the source record's fate."""

    NONE = 0
    FILTERED = 1
    WRITTEN = 2
    DEAD_LETTERED = 4
    ERRORED = 8
    CONSUMED = 16
    """No end: the source's own receipt for the record has arrived."""


_CONSUMED = int(Fate.CONSUMED)
_ENDS = (Fate.ERRORED, Fate.DEAD_LETTERED, Fate.WRITTEN, Fate.FILTERED)


@dataclass(slots=True)
class Receipt:
    """What one run of a segment did with the records of one partition.

    Attributes:
        consumed: Source records read; 0 for a segment behind an exchange.
        filtered: Tokens that ended without an output.
        tokens: ``(offset, token change, fate bits)``, for flows that fan out; the tokens of writes
            stay open until they are delivered. ``None`` for flows that don't.
        held: Offsets that a node began to hold, one entry a token.
        released: Offsets that a node let go.
        late: Records that came too late for their window.
    """

    consumed: int = 0
    filtered: int = 0
    tokens: list[tuple[int, int, int]] | None = None
    held: list[int] = field(default_factory=list)
    released: list[int] = field(default_factory=list)
    late: int = 0


class LedgerRow(LoomFrozenStruct, frozen=True, kw_only=True):
    """One source partition at the end of an epoch.

    The first seven count source records, and ``consumed = written + errored + filtered +
    dead_lettered + held`` when ``balanced``. The next count output records.

    Attributes:
        topic: Source topic.
        partition: Source partition.
        consumed: Records read.
        written: Records of which something was written and nothing failed.
        errored: Records of which something became an envelope.
        filtered: Records that ended without an output.
        dead_lettered: Records of which something could not be delivered and was dead-lettered.
        held: Records of which something waits in a batch or a window.
        late: Records that came too late for their window; their fate is counted above.
        records_written: Output records delivered to sinks.
        envelopes_written: Envelopes delivered.
        dead_letters_written: Dead letters delivered.
        position: Next offset to read.
        committed: Committed offset; ``None`` when none was.
        end_offset: End of the partition's log, as last seen; ``None`` when it never was.
        balanced: Whether the equation holds, and what nodes hold is what the ledger has open.
    """

    topic: str
    partition: int
    consumed: int = 0
    written: int = 0
    errored: int = 0
    filtered: int = 0
    dead_lettered: int = 0
    held: int = 0
    late: int = 0
    records_written: int = 0
    envelopes_written: int = 0
    dead_letters_written: int = 0
    position: int | None = None
    committed: int | None = None
    end_offset: int | None = None
    balanced: bool = True


class LedgerReport(LoomFrozenStruct, frozen=True, kw_only=True):
    """Every source partition of one process at the end of one epoch.

    Attributes:
        flow: Name of the flow.
        epoch: Ordinal of the epoch since the run began.
        partitions: One row a partition.
    """

    flow: str
    epoch: int
    partitions: tuple[LedgerRow, ...]

    @property
    def balanced(self) -> bool:
        """Whether every partition balances."""
        return all(row.balanced for row in self.partitions)

    def total(self, name: str) -> int:
        """Return the sum of the counter *name* over all partitions."""
        return sum(getattr(row, name) for row in self.partitions)

    def totals(self) -> dict[str, int]:
        """Return the sum of every counter over all partitions."""
        return {name: self.total(name) for name in COUNTERS}


COUNTERS = (
    "consumed",
    "written",
    "errored",
    "filtered",
    "dead_lettered",
    "held",
    "late",
    "records_written",
    "envelopes_written",
    "dead_letters_written",
)
"""The counters of a row."""


class _LedgerState(msgspec.Struct, kw_only=True):
    loom_ledger: int = 1
    counts: dict[str, int]
    open_tokens: dict[int, tuple[int, int]]
    held: dict[int, int]


class PartitionLedger:
    """The ledger of one source partition. Written by the sink, read by the source.

    Args:
        topic: Source topic.
        partition: Source partition.
        tracked: Whether the flow fans out, so that tokens are followed by offset.
    """

    __slots__ = (
        "_closed",
        "_closed_hold_back",
        "_counts",
        "_held",
        "_open",
        "_settling",
        "_tracked",
        "partition",
        "topic",
    )

    def __init__(self, topic: str, partition: int, *, tracked: bool) -> None:
        self.topic = topic
        self.partition = partition
        self._tracked = tracked
        self._counts: Counter[str] = Counter()
        self._open: dict[int, tuple[int, int]] = {}
        self._held: dict[int, int] = {}
        self._settling: set[int] = set()
        self._closed = self._row()
        self._closed_hold_back: int | None = None

    def apply(self, receipt: Receipt) -> None:
        """Take in what a segment did."""
        counts = self._counts
        counts["consumed"] += receipt.consumed
        counts["late"] += receipt.late
        if receipt.tokens is not None:
            for offset, change, bits in receipt.tokens:
                self._move(offset, change, bits)
        else:
            counts["filtered"] += receipt.filtered
        held = self._held
        for offset in receipt.held:
            held[offset] = held.get(offset, 0) + 1
        for offset in receipt.released:
            left = held.get(offset, 0) - 1
            if left:
                held[offset] = left
            else:
                held.pop(offset, None)

    def delivered(self, offsets: Sequence[int], fate: Fate) -> None:
        """Take in that outputs were delivered, one entry a token."""
        counts = self._counts
        if fate is Fate.WRITTEN:
            counts["records_written"] += len(offsets)
        elif fate is Fate.ERRORED:
            counts["envelopes_written"] += len(offsets)
        else:
            counts["dead_letters_written"] += len(offsets)
        if self._tracked:
            bits = int(fate)
            for offset in offsets:
                self._move(offset, -1, bits)
        else:
            counts[_COUNTER_OF[fate]] += len(offsets)

    def hold_back(self) -> int | None:
        """Return the lowest offset that a node held when the epoch was closed, or ``None``.

        What was let go since is not written yet.
        """
        return self._closed_hold_back

    def close_epoch(self) -> None:
        """Fix the row that :meth:`row` returns until the next epoch ends."""
        self._settle()
        self._closed = self._row()
        self._closed_hold_back = min(self._held, default=None)

    def row(
        self, *, position: int | None, committed: int | None, end_offset: int | None
    ) -> LedgerRow:
        """Return the row of the last closed epoch with the source's own positions filled in."""
        return msgspec.structs.replace(
            self._closed, position=position, committed=committed, end_offset=end_offset
        )

    def save(self) -> bytes:
        """Return the ledger as a self-describing MessagePack blob."""
        return msgspec.msgpack.encode(
            _LedgerState(counts=dict(self._counts), open_tokens=self._open, held=self._held)
        )

    def load(self, blob: bytes) -> None:
        """Go on from what :meth:`save` returned.

        Raises:
            msgspec.DecodeError: When *blob* is no ledger.
        """
        state = msgspec.msgpack.decode(blob, type=_LedgerState)
        self._counts = Counter(state.counts)
        self._open, self._held = state.open_tokens, state.held
        self.close_epoch()

    def _move(self, offset: int, change: int, bits: int) -> None:
        tokens, seen = self._open.get(offset, (0, 0))
        tokens += change
        self._open[offset] = (tokens, seen | bits)
        if tokens == 0:
            self._settling.add(offset)

    def _settle(self) -> None:
        """Give a fate to every record without tokens.

        Receipts of one epoch arrive in any order, so a count of zero means something only when
        the epoch has ended.
        """
        for offset in self._settling:
            tokens, seen = self._open.get(offset, (1, 0))
            if tokens == 0 and seen & _CONSUMED:
                del self._open[offset]
                fate = next((fate for fate in _ENDS if seen & fate), None)
                self._counts["lost" if fate is None else _COUNTER_OF[fate]] += 1
        self._settling.clear()

    def _row(self) -> LedgerRow:
        counts = self._counts
        held = len(self._open) if self._tracked else len(self._held)
        ended = sum(counts[_COUNTER_OF[fate]] for fate in _ENDS)
        balanced = counts["consumed"] == ended + held
        if self._tracked:
            balanced = balanced and self._held == {
                offset: tokens for offset, (tokens, _) in self._open.items()
            }
        return LedgerRow(
            topic=self.topic,
            partition=self.partition,
            held=held,
            balanced=balanced,
            **{name: counts[name] for name in COUNTERS if name != "held"},
        )


_COUNTER_OF = {
    Fate.WRITTEN: "written",
    Fate.ERRORED: "errored",
    Fate.FILTERED: "filtered",
    Fate.DEAD_LETTERED: "dead_lettered",
}


def token_changes(
    consumed: Iterable[int], kept: Iterable[int], filtered: Iterable[int], *, from_source: bool
) -> list[tuple[int, int, int]]:
    """Return the token changes of one segment run.

    Args:
        consumed: Offset of every token that came in.
        kept: Offset of every token that goes on: a write, an envelope or a record handed on.
        filtered: Offset of every token that ended here.
        from_source: Whether the tokens that came in were made by reading.
    """
    changes: dict[int, int] = {}
    bits: dict[int, int] = {}
    if from_source:
        for offset in consumed:
            changes[offset] = 0
            bits[offset] = _CONSUMED
    else:
        for offset in consumed:
            changes[offset] = changes.get(offset, 0) - 1
    for offset in kept:
        changes[offset] = changes.get(offset, 0) + 1
    for offset in filtered:
        bits[offset] = bits.get(offset, 0) | 1
    return [(offset, change, bits.get(offset, 0)) for offset, change in changes.items()]
