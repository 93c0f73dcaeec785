"""Envelopes written as fast as that goes, and the screen of the inbox meanwhile.

The bench is the real program on a pseudo-terminal of 160x45 cells. Keys are pressed at random
moments: one moves from group to group, and its clock stops when the preview of another group was
painted; others type into the filter, and theirs stops when the number of matches was painted.
"""

from __future__ import annotations

import itertools
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.broker import prefill
from benchmarks.child import ROOT, RunFailedError
from benchmarks.contestants.inbox_watched import Held
from benchmarks.envelope_flow import PARTITIONS, write_flow
from benchmarks.report import progress
from benchmarks.startup import environment
from benchmarks.terminal import Terminal
from loom_bench.broker.child import memory_bytes
from loom_runtime import ErrorEnvelope, ErrorKind, LoomStruct, Message, MessageMeta
from loom_runtime.config.kafka import WireFormat
from loom_runtime.errors import message_for_envelope
from loom_runtime.tracing.fingerprint import envelope_fingerprint
from loom_runtime.wire.envelopes import EnvelopeEncoder

GROUPS: Final = 25
QUIET: Final = 200
"""Envelopes of one more group, which all came first: it stays the last of the list."""

WORDS: Final = ("unicorn", "samovar", "teapot", "kettle", "mug")
_TYPED: Final = ("unicorn", "customer-42", "o-00004", "no such text")

_NAME: Final = "flood"
_COLUMNS: Final = 160
_ROWS: Final = 45
_TIMEOUT_S: Final = 60.0
_KEY_TIMEOUT_S: Final = 10.0
_PAUSE_S: Final = (0.15, 0.35)
_TYPING_PAUSE_S: Final = (0.1, 0.25)
_MOVES: Final = 10
"""From one search to the next."""

_AT_REST: Final = 3
_GROUP: Final = re.compile(r"group {6}(\d+-[0-9a-f]{16})")
_STALL_S: Final = 60.0
_LATELY_NS: Final = 2_000_000_000

_TRACEBACK: Final = '  File "flood.py", line 12, in Price.execute\n    return prices[product]'
_QUIET_TRACEBACK: Final = '  File "flood.py", line 7, in Lid.execute\n    raise LidError'


class Order(LoomStruct):
    """What failed."""

    order_id: str
    product: str


@dataclass
class Watched:
    """What was seen of the bench while envelopes came.

    Attributes:
        moves_ms: From each key that chooses another group to its frame.
        searches_ms: From each key in the filter to the frame that tells what it matches.
        searches_at_rest_ms: The same when all envelopes had come.
        memory_bytes: Memory of the bench, with the envelopes that it had seen, once a second.
        before_bytes: Its memory before the first one came.
        seconds: How long it took until all had come.
        held: What it says at the end that it holds.
    """

    moves_ms: list[float] = field(default_factory=list)
    searches_ms: list[float] = field(default_factory=list)
    searches_at_rest_ms: list[float] = field(default_factory=list)
    memory_bytes: list[tuple[int, int]] = field(default_factory=list)
    before_bytes: int = 0
    seconds: float = 0.0
    held: Held | None = None


def envelopes(count: int) -> Iterator[ErrorEnvelope[Order]]:
    """Yield *count* envelopes and QUIET before them, as a flow would write them."""
    for number in range(-QUIET, count):
        word = WORDS[number % len(WORDS)]
        message = Message(
            payload=Order(f"o-{number:07d}", word),
            meta=MessageMeta(
                message_id=f"orders:{number % PARTITIONS}:{number // PARTITIONS + QUIET}",
                topic="orders",
                partition=number % PARTITIONS,
                offset=number // PARTITIONS + QUIET,
                key=f"customer-{number % 5_003}".encode(),
                produced_at_ms=1_767_254_400_000 + number,
            ),
        )
        yield ErrorEnvelope(
            kind=ErrorKind.TASK,
            reason=f"'{word}' has no price" if number >= 0 else "the lid is off",
            payload_type="order",
            original_message=message_for_envelope(message),
            flow=_NAME,
            revision="0123456789ab",
            node=f"Price{number % GROUPS}" if number >= 0 else "Lid",
            exception_type="builtins.KeyError" if number >= 0 else "flood.LidError",
            traceback=_TRACEBACK if number >= 0 else _QUIET_TRACEBACK,
        )


def write_flood(broker: str, topic: str, count: int) -> None:
    """Write QUIET and *count* envelopes."""
    encoder = EnvelopeEncoder(WireFormat.JSON)

    def records() -> Iterator[tuple[int, bytes, bytes]]:
        for number, envelope in enumerate(envelopes(count)):
            key, value, _ = encoder.encode(envelope)
            yield number % PARTITIONS, key or b"", value or b""

    prefill(broker, topic, records())


class InboxWatch:
    """The screen of the inbox, and keys pressed in it.

    Args:
        bench: The bench.
        told: The file in which it tells what its inbox holds.
    """

    def __init__(self, bench: Terminal, told: Path) -> None:
        self._bench = bench
        self._told = told
        self._last = envelope_fingerprint(next(envelopes(0)))

    def held(self) -> Held | None:
        """What the inbox holds; ``None`` before it has told."""
        if not self._told.exists():
            return None
        return msgspec.json.decode(self._told.read_bytes(), type=Held)

    def until(self, holds: Callable[[Held], bool], what: str) -> None:
        """Wait until the inbox holds what is wanted.

        Raises:
            RunFailedError: It does not come to that.
        """
        deadline_s = time.monotonic() + _TIMEOUT_S
        while (held := self.held()) is None or not holds(held):
            if time.monotonic() > deadline_s:
                raise RunFailedError(f"{what}:\n{self._bench.last_screen()}")
            time.sleep(0.05)

    def open(self) -> None:
        """Go to the inbox."""
        self._bench.press(b"i")
        if self._bench.wait(_GROUP.search, _TIMEOUT_S) is None:
            raise RunFailedError(f"no inbox was painted:\n{self._bench.last_screen()}")
        time.sleep(1.0)

    def move(self) -> float | None:
        """Choose the group below; return the milliseconds until it was painted.

        ``None`` when there is none below: then the first one is chosen.
        """
        lately_ns = time.monotonic_ns() - _LATELY_NS
        chosen = _GROUP.findall(self._bench.text(lately_ns))
        if not chosen or chosen[-1] == self._last:
            self._bench.press(b"g")
            return None
        return self._timed(b"j", partial(_another_group, chosen[-1]))

    def type(self, text: str) -> Iterator[float]:
        """Type *text* into the filter, and drop it; yield the milliseconds to each answer."""
        self._bench.press(b"/")
        time.sleep(0.3)
        for end in range(1, len(text) + 1):
            if text[end - 1] != " ":
                yield self._timed(text[end - 1].encode(), partial(_tells_matches, text[:end]))
            else:
                self._bench.press(b" ")
            time.sleep(random.uniform(*_TYPING_PAUSE_S))
        self._bench.press(b"\x1b")
        time.sleep(0.5)
        self._bench.press(b"g")
        time.sleep(0.3)

    def _timed(self, key: bytes, answered: Callable[[str], bool]) -> float:
        pressed_ns = self._bench.press(key)
        painted_ns = self._bench.wait(answered, _KEY_TIMEOUT_S, since_ns=pressed_ns)
        if painted_ns is None:
            raise RunFailedError(f"no answer to {key!r}:\n{self._bench.last_screen()}")
        return (painted_ns - pressed_ns) / 1e6


def _another_group(chosen: str, text: str) -> bool:
    return any(each != chosen for each in _GROUP.findall(text))


def _tells_matches(typed: str, text: str) -> bool:
    return f"filter {typed}: " in text


def watch_flood(broker: str, folder: Path, count: int) -> Watched:
    """Have *count* envelopes written, and press keys while the bench reads them.

    Raises:
        RunFailedError: The bench, or the writer, does not do what it should.
    """
    flow, topic = write_flow(folder, _NAME, broker)
    told = folder / "held.json"
    command = [sys.executable, "-m", "benchmarks.contestants.inbox_watched"]
    found = Watched()
    with Terminal(
        [*command, str(flow), broker, str(told)],
        columns=_COLUMNS,
        rows=_ROWS,
        environment=environment(),
    ) as bench:
        watch = InboxWatch(bench, told)
        watch.until(lambda held: held.reading, "the topic of envelopes is not read")
        found.before_bytes = memory_bytes(bench.pid) or 0
        began_s = time.monotonic()
        command = [sys.executable, "-m", "benchmarks.envelopes", "--write", topic]
        with subprocess.Popen(
            [*command, "--broker", broker, "--envelopes", str(count)], cwd=ROOT, env=environment()
        ) as writer:
            watch.open()
            _press_until_read(watch, bench, count + QUIET, found)
            found.seconds = time.monotonic() - began_s
            if writer.wait() != 0:
                raise RunFailedError("the envelopes were not written")
        for text in _TYPED[:_AT_REST]:
            found.searches_at_rest_ms += watch.type(text)
        bench.press(b"Q")
        if bench.exit_code(_TIMEOUT_S) != 0:
            raise RunFailedError("the bench did not end well")
        found.held = watch.held()
    return found


def _press_until_read(watch: InboxWatch, bench: Terminal, count: int, found: Watched) -> None:
    known, heard_s, next_look_s, moves = 0, time.monotonic(), time.monotonic(), 0
    texts = itertools.cycle(_TYPED)
    while known < count:
        now_s, held = time.monotonic(), watch.held()
        if held is not None and held.seen > known:
            known, heard_s = held.seen, now_s
        if now_s - heard_s > _STALL_S:
            raise RunFailedError(f"only {known:,} of {count:,} envelopes came")
        if now_s >= next_look_s:
            next_look_s = now_s + 1.0
            found.memory_bytes.append((known, memory_bytes(bench.pid) or 0))
            progress(f"{known:,} envelopes read, {found.memory_bytes[-1][1] / 1e6:.0f} MB")
        time.sleep(random.uniform(*_PAUSE_S))
        moves += 1
        if moves % _MOVES == 0:
            found.searches_ms += watch.type(next(texts))
        elif (taken_ms := watch.move()) is not None:
            found.moves_ms.append(taken_ms)
