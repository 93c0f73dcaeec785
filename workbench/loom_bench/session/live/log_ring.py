"""The newest lines that flows printed: kept in the blocks in which they came, and counted.

A flow may print more in a second than anybody reads in a day. A line is split off, decoded and made
into an object when it is looked at.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Final, overload

from loom_bench.session.value import LogLine

MAX_LINE_CHARACTERS: Final = 4_000
"""Longest line that is shown."""

MAX_KEPT_BYTES: Final = 20 * 1024 * 1024
"""Largest size of all lines that are kept, as they came."""


class _Block:
    """Lines that came together.

    Attributes:
        first: Number of its first line, counted from the session's beginning.
        count: How many there are.
        data: They, as they came.
    """

    __slots__ = ("_at_ms", "_lines", "_made", "_revision", "_stream", "count", "data", "first")

    def __init__(self, first: int, revision: int, stream: str, data: bytes) -> None:
        self.first = first
        self.data = data
        self.count = data.count(b"\n") + (not data.endswith(b"\n"))
        self._at_ms = time.time_ns() // 1_000_000
        self._revision, self._stream = revision, stream
        self._lines: list[bytes] | None = None
        self._made: dict[int, LogLine] = {}

    def line(self, index: int) -> LogLine:
        """Return one line, the same object each time."""
        made = self._made.get(index)
        if made is None:
            if self._lines is None:
                self._lines = self.data.split(b"\n")
            text = self._lines[index].decode("utf-8", "backslashreplace")
            if len(text) > MAX_LINE_CHARACTERS:
                text = text[:MAX_LINE_CHARACTERS] + "…"
            made = self._made[index] = LogLine(
                at_ms=self._at_ms, revision=self._revision, stream=self._stream, text=text
            )
        return made


_first_of = attrgetter("first")


class LogLines(Sequence[LogLine]):
    """Lines from one number to another.

    Args:
        blocks: The blocks that hold them.
        first: Number of the first.
        end: One past that of the last.
    """

    def __init__(self, blocks: tuple[_Block, ...], first: int, end: int) -> None:
        self._blocks, self._first, self._end = blocks, first, end

    def __len__(self) -> int:
        return self._end - self._first

    @overload
    def __getitem__(self, index: int) -> LogLine: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[LogLine, ...]: ...

    def __getitem__(self, index: int | slice) -> LogLine | tuple[LogLine, ...]:
        length = len(self)
        if isinstance(index, slice):
            return tuple(self[each] for each in range(*index.indices(length)))
        if not -length <= index < length:
            raise IndexError(index)
        number = self._first + index % length
        block = self._blocks[bisect_right(self._blocks, number, key=_first_of) - 1]
        return block.line(number - block.first)

    def __iter__(self) -> Iterator[LogLine]:
        for block in self._blocks:
            for index in range(max(0, self._first - block.first), block.count):
                yield block.line(index)


class LogRing:
    """Keeps lines. Filled from the threads that read them.

    Args:
        size: How many are kept.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._blocks: deque[_Block] = deque()
        self._bytes = 0
        self._seen = 0
        self._lock = threading.Lock()
        self._shown: tuple[Sequence[LogLine], int] = (), 0

    def add(self, revision: int, stream: str, block: bytes) -> None:
        """Add lines; may be called from any thread."""
        with self._lock:
            added = _Block(self._seen, revision, stream, block)
            self._seen += added.count
            self._bytes += len(block)
            blocks = self._blocks
            blocks.append(added)
            while len(blocks) > 1 and (
                self._bytes > MAX_KEPT_BYTES or blocks[1].first <= self._seen - self._size
            ):
                self._bytes -= len(blocks.popleft().data)

    def shown(self) -> tuple[Sequence[LogLine], int]:
        """Return what is kept, the newest last, and how many lines there were; the same objects
        until there are more."""
        if self._shown[1] != self._seen:
            with self._lock:
                first = max(self._blocks[0].first, self._seen - self._size)
                self._shown = LogLines(tuple(self._blocks), first, self._seen), self._seen
        return self._shown
