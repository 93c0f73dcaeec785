"""The revisions of a flow's code: numbered, with time, content hash and what became of them."""

from __future__ import annotations

import time

import msgspec

from loom_bench.protocol.diagnosis import Diagnosis
from loom_bench.session.value import Revision

KEPT_REVISIONS = 50

OVER = frozenset({"refused", "replaced"})
"""States that a revision does not leave by itself."""


class RevisionBook:
    """The newest revisions."""

    def __init__(self) -> None:
        self._revisions: dict[int, Revision] = {}

    def begin(self, content_hash: str, saved_at_ms: int | None) -> int:
        """Take in that code is loaded; return its number.

        The same code again is the same revision.
        """
        newest = self.newest()
        if newest is not None and newest.content_hash == content_hash:
            self.change(newest.number, state="loading", diagnoses=())
            return newest.number
        number = 1 if newest is None else newest.number + 1
        self._revisions[number] = Revision(
            number=number,
            at_ms=saved_at_ms or time.time_ns() // 1_000_000,
            content_hash=content_hash,
            state="loading",
        )
        self._revisions.pop(number - KEPT_REVISIONS, None)
        return number

    def newest(self) -> Revision | None:
        """Return the newest revision."""
        return next(reversed(self._revisions.values()), None)

    def get(self, number: int) -> Revision | None:
        """Return a revision by number."""
        return self._revisions.get(number)

    def running(self) -> int:
        """Return the number of the revision that runs or ran last; 0 before the first."""
        numbers = [each.number for each in self._revisions.values() if each.state == "running"]
        return numbers[-1] if numbers else 0

    def is_of(self, number: int, content_hash: str) -> bool:
        """Return whether revision *number* has this content."""
        known = self._revisions.get(number)
        return known is not None and known.content_hash == content_hash

    def change(self, number: int, **changes: object) -> None:
        """Change fields of a revision."""
        known = self._revisions.get(number)
        if known is not None:
            self._revisions[number] = msgspec.structs.replace(known, **changes)

    def refuse(self, number: int, diagnoses: tuple[Diagnosis, ...], summary: str = "") -> None:
        """Take in that a revision will not run."""
        self.change(number, state="refused", diagnoses=diagnoses, summary=summary)

    def runs(self, number: int) -> None:
        """Take in that a revision runs now, and no other."""
        for each in list(self._revisions.values()):
            if each.number == number:
                self.change(number, state="running")
            elif each.state not in OVER:
                self.change(each.number, state="replaced")

    def shown(self) -> tuple[Revision, ...]:
        """Return the revisions, newest last."""
        return tuple(self._revisions.values())
