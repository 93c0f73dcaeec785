"""Nodes that hold records: batches by count and time, tumbling windows, sessions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import insort
from operator import itemgetter
from typing import Any

import msgspec

from loom_runtime.execution.held_records import HeldRecord, held_record, restored
from loom_runtime.execution.outcome import Messages, Offsets
from loom_runtime.execution.travel import Collected
from loom_runtime.flow.shapes import CollectBatch, WindowStrategy
from loom_runtime.message import Message


class _Group:
    """Records held together: a batch in the making, a window, a session."""

    __slots__ = ("end_ms", "messages", "offsets", "start_ms")

    def __init__(self, start_ms: int, end_ms: int) -> None:
        self.start_ms = start_ms
        self.end_ms = end_ms
        self.offsets: Offsets = []
        self.messages: Messages = []

    def __lt__(self, other: _Group) -> bool:
        return self.start_ms < other.start_ms


class _SavedGroup(msgspec.Struct, kw_only=True):
    start_ms: int
    end_ms: int
    records: list[HeldRecord]


class _SavedCollector(msgspec.Struct, kw_only=True):
    loom_held: int = 1
    partition: str
    watermark_ms: int | None
    groups: list[_SavedGroup]


class Collector(ABC):
    """What one node holds for one source partition.

    Args:
        partition: Key of the source partition.
        declaration: The node's declaration.
    """

    def __init__(self, partition: str, declaration: CollectBatch) -> None:
        self._partition = partition
        self._declaration = declaration
        self._groups: list[_Group] = []
        self._watermark_ms: int | None = None
        self._arrived: dict[int, int] = {}

    @property
    def held(self) -> int:
        """Records held now."""
        return sum(len(group.offsets) for group in self._groups)

    def take(self, offsets: Offsets, messages: Messages, now_ms: int) -> Collected:
        """Take records in; hand on what is complete."""
        collected = self._begin()
        for offset, message in zip(offsets, messages, strict=True):
            self._take_one(offset, message, now_ms, collected)
        self._release_complete(now_ms, collected)
        return self._settle(collected)

    def expire(self, now_ms: int) -> Collected:
        """Hand on what the machine's clock completes."""
        collected = self._begin()
        self._release_complete(now_ms, collected)
        return self._settle(collected)

    def release_all(self) -> Collected:
        """Hand on everything."""
        collected = self._begin()
        for group in self._groups:
            self._hand_on(group, collected)
        self._groups.clear()
        return self._settle(collected)

    def due_ms(self) -> int | None:
        """Return when :meth:`expire` is next needed, or ``None``."""
        if self._declaration.event_time or not self._groups:
            return None
        return min(group.end_ms for group in self._groups)

    def save(self) -> bytes:
        """Return what is held as a self-describing MessagePack blob."""
        return msgspec.msgpack.encode(
            _SavedCollector(
                partition=self._partition,
                watermark_ms=self._watermark_ms,
                groups=[
                    _SavedGroup(
                        start_ms=group.start_ms,
                        end_ms=group.end_ms,
                        records=list(map(held_record, group.offsets, group.messages)),
                    )
                    for group in self._groups
                ],
            )
        )

    def _load(self, saved: _SavedCollector) -> None:
        self._watermark_ms = saved.watermark_ms
        for saved_group in saved.groups:
            group = _Group(saved_group.start_ms, saved_group.end_ms)
            for record in saved_group.records:
                offset, message = restored(record)
                group.offsets.append(offset)
                group.messages.append(message)
            self._groups.append(group)

    @abstractmethod
    def _take_one(
        self, offset: int, message: Message[Any], now_ms: int, collected: Collected
    ) -> None: ...

    def _release_complete(self, now_ms: int, collected: Collected) -> None:
        if self._declaration.event_time:
            if self._watermark_ms is None:
                return
            limit = self._watermark_ms - self._declaration.allowed_lateness_ms
        else:
            limit = now_ms
        complete = [group for group in self._groups if group.end_ms <= limit]
        if complete:
            self._groups = [group for group in self._groups if group.end_ms > limit]
            for group in complete:
                self._hand_on(group, collected)

    def _add(self, group: _Group, offset: int, message: Message[Any], collected: Collected) -> None:
        group.offsets.append(offset)
        group.messages.append(message)
        self._arrived[offset] = self._arrived.get(offset, 0) + 1
        most = self._declaration.max_records
        while len(group.offsets) >= most:
            collected.batches.append((group.offsets[:most], group.messages[:most]))
            group.offsets, group.messages = group.offsets[most:], group.messages[most:]

    def _event_time_ms(
        self, offset: int, message: Message[Any], now_ms: int, collected: Collected
    ) -> int | None:
        """Return the record's time and move the watermark; ``None`` when it has none."""
        if not self._declaration.event_time:
            return now_ms
        at_ms = message.meta.produced_at_ms
        if at_ms is None:
            collected.untimed[0].append(offset)
            collected.untimed[1].append(message)
        return at_ms

    def _move_watermark(self, at_ms: int) -> None:
        if self._declaration.event_time and (
            self._watermark_ms is None or at_ms > self._watermark_ms
        ):
            self._watermark_ms = at_ms

    def _is_past(self, end_ms: int) -> bool:
        """Whether a window that ends then is closed already."""
        return (
            self._watermark_ms is not None
            and end_ms <= self._watermark_ms - self._declaration.allowed_lateness_ms
        )

    def _too_late(self, offset: int, message: Message[Any], collected: Collected) -> None:
        collected.late[0].append(offset)
        collected.late[1].append(message)

    def _hand_on(self, group: _Group, collected: Collected) -> None:
        """Hand on a whole group; one restored under a larger limit in several batches."""
        most = self._declaration.max_records
        for start in range(0, len(group.offsets), most):
            end = start + most
            collected.batches.append((group.offsets[start:end], group.messages[start:end]))

    def _begin(self) -> Collected:
        self._arrived = {}
        return Collected(self._partition)

    def _settle(self, collected: Collected) -> Collected:
        """Fill in which offsets the node began to hold and which it let go."""
        arrived = self._arrived
        for offsets, _ in collected.batches:
            for offset in offsets:
                if arrived.get(offset, 0):
                    arrived[offset] -= 1
                else:
                    collected.released.append(offset)
        for offset, tokens in arrived.items():
            collected.held += [offset] * tokens
        return collected


class CountCollector(Collector):
    """Batches by count and waiting time."""

    def _take_one(
        self, offset: int, message: Message[Any], now_ms: int, collected: Collected
    ) -> None:
        if not self._groups or not self._groups[0].offsets:
            self._groups = [_Group(now_ms, now_ms + self._declaration.timeout_ms)]
        self._add(self._groups[0], offset, message, collected)
        if not self._groups[0].offsets:
            self._groups.clear()


class TumblingCollector(Collector):
    """Windows of one length, aligned to the Unix epoch."""

    def _take_one(
        self, offset: int, message: Message[Any], now_ms: int, collected: Collected
    ) -> None:
        at_ms = self._event_time_ms(offset, message, now_ms, collected)
        if at_ms is None:
            return
        length_ms = self._declaration.timeout_ms
        start_ms = at_ms - at_ms % length_ms
        if self._is_past(start_ms + length_ms):
            self._too_late(offset, message, collected)
            return
        self._move_watermark(at_ms)
        group = next((g for g in reversed(self._groups) if g.start_ms == start_ms), None)
        if group is None:
            group = _Group(start_ms, start_ms + length_ms)
            insort(self._groups, group)
        self._add(group, offset, message, collected)


class SessionCollector(Collector):
    """Windows that a gap without records ends. A session ends *gap* after its last record."""

    def _take_one(
        self, offset: int, message: Message[Any], now_ms: int, collected: Collected
    ) -> None:
        at_ms = self._event_time_ms(offset, message, now_ms, collected)
        if at_ms is None:
            return
        gap_ms = self._declaration.timeout_ms
        met = [
            group
            for group in self._groups
            if group.start_ms - gap_ms < at_ms < group.end_ms and not self._is_past(group.end_ms)
        ]
        if not met and self._is_past(at_ms + gap_ms):
            self._too_late(offset, message, collected)
            return
        self._move_watermark(at_ms)
        session = self._joined(met, at_ms, gap_ms)
        self._add(session, offset, message, collected)

    def _joined(self, met: list[_Group], at_ms: int, gap_ms: int) -> _Group:
        """Return the one session that the record belongs to, made of those that it joins.

        Their records stand in the order in which they were read.
        """
        session = met[0] if met else _Group(at_ms, at_ms + gap_ms)
        session.start_ms = min(at_ms, session.start_ms)
        session.end_ms = max(at_ms + gap_ms, session.end_ms)
        if not met:
            self._groups.append(session)
        if len(met) > 1:
            self._merge(session, met[1:])
        self._groups.sort()
        return session

    def _merge(self, session: _Group, others: list[_Group]) -> None:
        pairs = list(zip(session.offsets, session.messages, strict=True))
        for other in others:
            pairs += zip(other.offsets, other.messages, strict=True)
            session.start_ms = min(session.start_ms, other.start_ms)
            session.end_ms = max(session.end_ms, other.end_ms)
            self._groups.remove(other)
        pairs.sort(key=itemgetter(0))
        session.offsets = [offset for offset, _ in pairs]
        session.messages = [message for _, message in pairs]


_COLLECTORS: dict[WindowStrategy, type[Collector]] = {
    WindowStrategy.COLLECT: CountCollector,
    WindowStrategy.TUMBLING: TumblingCollector,
    WindowStrategy.SESSION: SessionCollector,
}


def collector(partition: str, declaration: CollectBatch) -> Collector:
    """Return an empty collector of the kind that *declaration* asks for."""
    return _COLLECTORS[declaration.window](partition, declaration)


def restored_collector(blob: bytes, declaration: CollectBatch) -> Collector:
    """Return the collector whose :meth:`Collector.save` returned *blob*.

    Raises:
        msgspec.DecodeError: When *blob* is no collector.
        LookupError: When the class of a held payload is not there any more.
    """
    saved = msgspec.msgpack.decode(blob, type=_SavedCollector)
    restored_one = collector(saved.partition, declaration)
    restored_one._load(saved)
    return restored_one
