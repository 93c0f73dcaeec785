"""Failures of the whole session, grouped, over all runs."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import msgspec

from loom_bench.protocol.frames import ErrorGroup, Errors
from loom_bench.session.value import ErrorGroupView

MAX_GROUPS = 200
HISTORY = 60
"""Intervals that are kept, one a second."""


@dataclass
class _Entry:
    group: ErrorGroup
    revision: int
    before: int = 0
    """Failures of earlier runs."""
    counted: int = 0
    """Failures that are in the history."""
    history: deque[int] = field(default_factory=lambda: deque(maxlen=HISTORY))


class ErrorBook:
    """Groups of failures. A host's counts begin at 0 with each run; here they go on."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}
        self._dropped = 0
        self._seen_before = self._seen = 0
        self._ungrouped_before = self._ungrouped = 0
        self._revision = 1
        self._reloaded = False

    def begin(self, revision: int) -> None:
        """Take in that another run begins."""
        self._reloaded = self._reloaded or revision != self._revision
        self._revision = revision
        self._seen_before, self._seen = self.seen, 0
        self._ungrouped_before, self._ungrouped = self._ungrouped_before + self._ungrouped, 0
        for entry in self._entries.values():
            entry.before = entry.group.count

    def take(self, frame: Errors) -> None:
        """Take in groups that changed."""
        self._seen, self._ungrouped = frame.seen, frame.ungrouped
        for group in frame.groups:
            entry = self._entries.pop(group.fingerprint, None)
            if entry is None:
                entry = _Entry(group, self._revision)
            else:
                entry.group = msgspec.structs.replace(
                    group,
                    count=entry.before + group.count,
                    first_ms=min(entry.group.first_ms, group.first_ms),
                )
            self._entries[group.fingerprint] = entry  # the one that failed last stands last
        while len(self._entries) > MAX_GROUPS:
            oldest = self._entries.pop(next(iter(self._entries)))
            self._dropped += oldest.group.count

    def tick(self) -> None:
        """Close an interval of the history; once a second."""
        for entry in self._entries.values():
            entry.history.append(entry.group.count - entry.counted)
            entry.counted = entry.group.count

    @property
    def seen(self) -> int:
        """Failures since the session began."""
        return self._seen_before + self._seen

    @property
    def ungrouped(self) -> int:
        """Failures that are in no group that is shown."""
        return self._ungrouped_before + self._ungrouped + self._dropped

    def views(self) -> tuple[ErrorGroupView, ...]:
        """Return the groups, the one that failed last first."""
        return tuple(
            ErrorGroupView(
                group=entry.group,
                history=tuple(entry.history),
                revision=entry.revision,
                is_new=self._reloaded and entry.revision == self._revision,
            )
            for entry in reversed(self._entries.values())
        )
