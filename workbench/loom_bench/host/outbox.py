"""What a host has yet to tell: bounded, folded, sent by a thread of its own.

The flow never waits for the bench. Ledgers replace one another, events are sampled, failures are
counted by group; only answers to commands are kept one by one, and there are few of those.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterator
from typing import NamedTuple, Protocol

import msgspec

from loom_bench.protocol.feeding import FeedProgress
from loom_bench.protocol.frames import ErrorGroup, Errors, Events, Ledger, SeenEvent
from loom_bench.protocol.measurements import CommitCount, Commits, SeenCommit
from loom_runtime.ledger import LedgerReport

FOLD_INTERVAL_S = 0.1
"""Least time between two frames that fold: ten pictures a second are more than eyes need."""

MAX_WAITING_EVENTS = 500
"""Events kept for one frame; of more only the number is told."""

MAX_EVENTS_OF_A_SORT = 20
"""Events of one sort kept for one frame: 200 a second, so that no flood hides the others."""

MAX_WAITING_COMMITS = 100
"""Commits kept for one frame; all are counted."""

MAX_GROUPS = 1_000
"""Error groups told apart; records that fail in yet another way are counted together."""


class Failed(NamedTuple):
    """When a record failed and which one it was.

    Attributes:
        at_ms: When, milliseconds since the Unix epoch.
        topic: Its source topic.
        partition: Its source partition.
        offset: Its offset.
    """

    at_ms: int
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None


class _Group:
    """Failures that look alike: the first as it is described, the others counted."""

    __slots__ = ("count", "first", "newest")

    def __init__(self, first: ErrorGroup, newest: Failed) -> None:
        self.first, self.newest, self.count = first, newest, 1

    def told(self) -> ErrorGroup:
        at_ms, topic, partition, offset = self.newest
        return msgspec.structs.replace(
            self.first,
            count=self.count,
            last_ms=at_ms,
            topic=topic,
            partition=partition,
            offset=offset,
        )


class Sender(Protocol):
    """What takes frames away."""

    def send(self, frame: msgspec.Struct) -> None:
        """Send *frame*; may block."""


class Outbox:
    """Takes what is to be told from any thread and sends it.

    Args:
        sender: Where frames go.
        on_broken: Called when a frame cannot be sent though the bench is there.
    """

    def __init__(self, sender: Sender, on_broken: Callable[[], None] = lambda: None) -> None:
        self._sender = sender
        self._on_broken = on_broken
        self._changed = threading.Condition()
        self._answers: deque[msgspec.Struct] = deque()
        self._answered = self._answers_sent = 0
        self._parked = False
        self._events: list[SeenEvent] = []
        self._of_a_sort: Counter[Hashable] = Counter()
        self._events_seen = 0
        self._events_left_out = 0
        self._groups: dict[str, _Group] = {}
        self._touched: set[str] = set()
        self._errors_seen = self._errors_told = 0
        self._ungrouped = 0
        self._ledger: LedgerReport | None = None
        self._feed_progress: int | None = None
        self._commits: deque[SeenCommit] = deque(maxlen=MAX_WAITING_COMMITS)
        self._commit_counts: dict[tuple[str, int], CommitCount] = {}
        self._latest: dict[type[msgspec.Struct], msgspec.Struct] = {}
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()

    def answer(self, frame: msgspec.Struct) -> None:
        """Send *frame* soon, after everything that was told before it."""
        with self._changed:
            self._answers.append(frame)
            self._answered += 1
            self._changed.notify_all()

    def answer_first(self, frame: msgspec.Struct) -> None:
        """Send *frame* and return when it is on its way: what is done next may end the process."""
        with self._changed:
            self.answer(frame)
            mine = self._answered
            self._changed.wait_for(lambda: self._answers_sent >= mine or self._closing)

    def event(self, sort: Hashable, make: Callable[[], SeenEvent]) -> None:
        """Tell of a lifecycle event; under flood it is counted only.

        Args:
            sort: What sort of event it is; there are few sorts.
            make: Makes it, when it is told.
        """
        with self._changed:
            self._events_seen += 1
            if (
                self._of_a_sort[sort] < MAX_EVENTS_OF_A_SORT
                and len(self._events) < MAX_WAITING_EVENTS
            ):
                self._of_a_sort[sort] += 1
                self._events.append(make())
            else:
                self._events_left_out += 1
            self._wake()

    def failure(self, fingerprint: str, failed: Failed, describe: Callable[[], ErrorGroup]) -> None:
        """Tell of one failed record.

        Args:
            fingerprint: Identity of its group.
            failed: When, and which record.
            describe: Returns the group; called for its first record.
        """
        with self._changed:
            self._errors_seen += 1
            known = self._groups.get(fingerprint)
            if known is not None:
                known.count += 1
                known.newest = failed
                self._touched.add(fingerprint)
            elif len(self._groups) < MAX_GROUPS:
                self._groups[fingerprint] = _Group(describe(), failed)
                self._touched.add(fingerprint)
            else:
                self._ungrouped += 1
            self._wake()

    def ledger(self, report: LedgerReport) -> None:
        """Tell the ledger; takes the place of one that was not sent yet."""
        with self._changed:
            self._ledger = report
            self._wake()

    def feed_progress(self, delivered: int) -> None:
        """Tell how far a feed is."""
        with self._changed:
            self._feed_progress = delivered
            self._wake()

    def commit(self, commit: SeenCommit) -> None:
        """Tell of a commit; the newest are told one by one, all are counted."""
        place = commit.topic, commit.partition
        with self._changed:
            known = self._commit_counts.get(place)
            done, failed = (0, 0) if known is None else (known.done, known.failed)
            self._commit_counts[place] = CommitCount(
                topic=commit.topic,
                partition=commit.partition,
                done=done + (commit.problem is None),
                failed=failed + (commit.problem is not None),
            )
            self._commits.append(commit)
            self._wake()

    def latest(self, frame: msgspec.Struct) -> None:
        """Tell *frame*; takes the place of one of its type that was not sent yet."""
        with self._changed:
            self._latest[type(frame)] = frame
            self._wake()

    def close(self, timeout_s: float) -> None:
        """Send what is left; give up after *timeout_s* seconds."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            self._send_all()
        except OSError:
            pass  # the bench is gone: whoever reads from it ends this process
        except Exception as error:  # noqa: BLE001 - a bench that waits for an answer must know
            print(f"loom-bench host: a frame cannot be sent: {error}", file=sys.stderr)
            self._on_broken()

    def _wake(self) -> None:
        """Wake the sender if it waits for something to send: not while it waits for its time."""
        if self._parked:
            self._parked = False
            self._changed.notify_all()

    def _send_all(self) -> None:
        closing, not_before_s = False, 0.0
        while not closing:
            with self._changed:
                self._parked = True
                self._changed.wait_for(self._has_something)
                self._parked = False
                self._changed.wait_for(
                    self._is_urgent, timeout=max(0.0, not_before_s - time.monotonic())
                )
                frames, closing = list(self._take()), self._closing
                answered = self._answered
            for frame in frames:
                self._sender.send(frame)
            with self._changed:
                self._answers_sent = answered
                self._changed.notify_all()
            not_before_s = time.monotonic() + FOLD_INTERVAL_S

    def _is_urgent(self) -> bool:
        return self._closing or bool(self._answers)

    def _has_something(self) -> bool:
        return (
            self._is_urgent()
            or bool(self._events)
            or self._errors_seen != self._errors_told
            or self._ledger is not None
            or self._feed_progress is not None
            or bool(self._commits or self._latest)
        )

    def _take(self) -> Iterator[msgspec.Struct]:
        """Yield what is to be sent now; answers come last, so that they end what they are about."""
        if self._events:
            yield Events(
                events=tuple(self._events), seen=self._events_seen, left_out=self._events_left_out
            )
            self._events = []
            self._of_a_sort.clear()
        if self._errors_seen != self._errors_told:
            yield Errors(
                groups=tuple(self._groups[each].told() for each in sorted(self._touched)),
                seen=self._errors_seen,
                ungrouped=self._ungrouped,
            )
            self._touched.clear()
            self._errors_told = self._errors_seen
        if self._ledger is not None:
            yield Ledger(self._ledger)
            self._ledger = None
        if self._feed_progress is not None:
            yield FeedProgress(self._feed_progress)
            self._feed_progress = None
        if self._commits:
            yield Commits(newest=tuple(self._commits), counts=tuple(self._commit_counts.values()))
            self._commits.clear()
        yield from self._latest.values()
        self._latest.clear()
        while self._answers:
            yield self._answers.popleft()
