"""Keeps a few of the records that a node takes and gives, or that a flow writes, to be seen."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from threading import Lock
from time import monotonic, perf_counter, time
from typing import Any, Final

import msgspec

from loom_runtime.message import Message
from loom_runtime.model import LoomFrozenStruct
from loom_runtime.wire.records import RawRecord

MAX_TEXT: Final = 2_000
"""Longest text of a payload, in characters."""

_OF_A_BATCH: Final = 3
_KEPT: Final = 30
_INTERVAL_S: Final = 0.05
_COST_SHARE: Final = 0.01
"""Share of a worker's time that sampling may take: large payloads are sampled more rarely."""


class RecordSample(LoomFrozenStruct, frozen=True, kw_only=True):
    """One record at one node.

    Attributes:
        at_ms: When, milliseconds since 1970.
        key: Its key as text.
        taken: The payload that came in, as JSON text.
        given: The payloads that went out, as JSON text.
    """

    at_ms: int
    key: str
    taken: str
    given: tuple[str, ...]


class Sampler:
    """Samples one node, on all workers. Payloads are put down as text at once: steps may change
    them."""

    def __init__(self) -> None:
        self._kept: deque[RecordSample] = deque(maxlen=_KEPT)
        self._not_before_s = 0.0

    def taken(self, offsets: Sequence[int], messages: Sequence[Message[Any]]) -> Taking | None:
        """Put down the newest records of a batch that a node is about to take; ``None`` when some
        were put down a moment ago."""
        if monotonic() < self._not_before_s:
            return None
        began_s = perf_counter()
        records = [
            (offset, key_text(message.meta.key), payload_text(message.payload))
            for offset, message in zip(offsets[-_OF_A_BATCH:], messages[-_OF_A_BATCH:], strict=True)
        ]
        return Taking(self, records, began_s)

    def taken_raw(self, records: Sequence[RawRecord]) -> Taking | None:
        """Do the same with records as they were read."""
        if monotonic() < self._not_before_s:
            return None
        began_s = perf_counter()
        newest = [
            (offset, key_text(key), bytes_text(value))
            for offset, key, value, *_ in records[-_OF_A_BATCH:]
        ]
        return Taking(self, newest, began_s)

    def keep(self, samples: Sequence[RecordSample], cost_s: float) -> None:
        """Keep *samples*, which took *cost_s* to make."""
        self._kept.extend(samples)
        self._not_before_s = monotonic() + max(_INTERVAL_S, cost_s / _COST_SHARE)

    def take_out(self) -> tuple[RecordSample, ...]:
        """Return what was kept since the last call, oldest first."""
        found = []
        while self._kept:
            found.append(self._kept.popleft())
        return tuple(found)


class Taking:
    """Records that a node has taken and whose results are awaited."""

    __slots__ = ("_cost_s", "_records", "_sampler")

    def __init__(
        self, sampler: Sampler, records: list[tuple[int, str, str]], began_s: float
    ) -> None:
        self._sampler = sampler
        self._records = records
        self._cost_s = perf_counter() - began_s

    def give(self, offsets: Sequence[int], messages: Sequence[Message[Any]]) -> None:
        """Put down what became of them: what has the same source offset."""
        began_s, at_ms = perf_counter(), int(time() * 1000)
        wanted: dict[int, list[str]] = {offset: [] for offset, _, _ in self._records}
        for offset, message in zip(reversed(offsets), reversed(messages), strict=True):
            given = wanted.get(offset)
            if given is not None and len(given) < _OF_A_BATCH:
                given.append(payload_text(message.payload))
        samples = [
            RecordSample(at_ms=at_ms, key=key, taken=taken, given=tuple(reversed(wanted[offset])))
            for offset, key, taken in self._records
        ]
        self._sampler.keep(samples, self._cost_s + perf_counter() - began_s)


class OutputSampler:
    """Counts every output of a flow and keeps the newest of each port."""

    def __init__(self) -> None:
        self._seen = 0
        self._newest: dict[int, Sequence[Any]] = {}
        self._lock = Lock()

    def wrote(self, port: int, outputs: Sequence[Any]) -> None:
        """Take in what was handed to the writer; from any worker."""
        with self._lock:
            self._seen += len(outputs)
            self._newest[port] = outputs[-_OF_A_BATCH:]

    def take_out(self) -> tuple[list[tuple[int, Any]], int]:
        """Return port and output of what was kept since the last call, and how many outputs there
        were since the run began."""
        with self._lock:
            newest, self._newest = self._newest, {}
            seen = self._seen
        return [(port, output) for port, outputs in newest.items() for output in outputs], seen


def payload_text(payload: Any) -> str:
    """Return *payload* as JSON text of bounded length; never raises."""
    try:
        return cut(msgspec.json.encode(payload, enc_hook=repr).decode())
    except Exception as error:  # noqa: BLE001 - a payload may hold anything, with any __repr__
        return f"<a {type(payload).__qualname__} that JSON cannot say: {type(error).__name__}>"


def bytes_text(value: bytes | None) -> str:
    """Return bytes as text of bounded length; what is no UTF-8 is escaped."""
    if value is None:
        return "null"
    return cut(value[: MAX_TEXT * 4].decode("utf-8", "backslashreplace"))


def key_text(key: bytes | str | None) -> str:
    """Return a record's key as text; empty without one."""
    if key is None:
        return ""
    return cut(key) if isinstance(key, str) else bytes_text(key)


def cut(text: str) -> str:
    """Return *text* of bounded length."""
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "…"
