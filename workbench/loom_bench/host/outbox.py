"""What a host has yet to tell: bounded, folded, sent by a thread of its own.

The flow never waits for the bench. Ledgers replace one another, events are sampled, failures are
counted by group; only answers to commands are kept one by one, and there are few of those.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

import msgspec

from loom_bench.protocol.feeding import FeedProgress
from loom_bench.protocol.frames import ErrorGroup, Errors, Events, Ledger, SeenEvent
from loom_bench.protocol.measurements import CommitCount, Commits, SeenCommit
from loom_runtime.ledger import LedgerReport

FOLD_INTERVAL_S = 0.05
"""Least time between two frames that fold: twenty pictures a second are more than eyes need."""

MAX_WAITING_EVENTS = 500
"""Events kept for one frame: 10,000 a second; of more only the number is told."""

MAX_WAITING_COMMITS = 100
"""Commits kept for one frame; all are counted."""

MAX_GROUPS = 1_000
"""Error groups told apart; records that fail in yet another way are counted together."""


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
        self._events: list[SeenEvent] = []
        self._events_seen = 0
        self._events_left_out = 0
        self._groups: dict[str, ErrorGroup] = {}
        self._touched: set[str] = set()
        self._errors_seen = 0
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

    def event(self, event: SeenEvent) -> None:
        """Tell of a lifecycle event; under flood it is counted only."""
        with self._changed:
            self._events_seen += 1
            if len(self._events) < MAX_WAITING_EVENTS:
                self._events.append(event)
            else:
                self._events_left_out += 1
            self._changed.notify_all()

    def failure(self, group: ErrorGroup) -> None:
        """Tell of one failed record; *group* describes it, with a count of 1."""
        with self._changed:
            self._errors_seen += 1
            known = self._groups.get(group.fingerprint)
            if known is not None:
                group = msgspec.structs.replace(
                    group,
                    count=known.count + 1,
                    reason=known.reason,
                    first_ms=known.first_ms,
                    traceback=known.traceback,
                )
            elif len(self._groups) >= MAX_GROUPS:
                self._ungrouped += 1
                self._changed.notify_all()
                return
            self._groups[group.fingerprint] = group
            self._touched.add(group.fingerprint)
            self._changed.notify_all()

    def ledger(self, report: LedgerReport) -> None:
        """Tell the ledger; takes the place of one that was not sent yet."""
        with self._changed:
            self._ledger = report
            self._changed.notify_all()

    def feed_progress(self, delivered: int) -> None:
        """Tell how far a feed is."""
        with self._changed:
            self._feed_progress = delivered
            self._changed.notify_all()

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
            self._changed.notify_all()

    def latest(self, frame: msgspec.Struct) -> None:
        """Tell *frame*; takes the place of one of its type that was not sent yet."""
        with self._changed:
            self._latest[type(frame)] = frame
            self._changed.notify_all()

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

    def _send_all(self) -> None:
        closing, not_before_s = False, 0.0
        while not closing:
            with self._changed:
                self._changed.wait_for(self._has_something)
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
            or bool(self._events or self._touched)
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
        if self._touched:
            yield Errors(
                groups=tuple(self._groups[each] for each in sorted(self._touched)),
                seen=self._errors_seen,
                ungrouped=self._ungrouped,
            )
            self._touched = set()
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
