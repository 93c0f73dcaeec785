"""The state at an epoch as far as it was fetched: which page is asked for next, and when."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from loom_bench.session.snapshots.value import StatePage, StateQuery, StateRow

_PAGE_ROWS: Final = 200
MOST_ROWS: Final = 5_000
"""Rows that are kept; a search finds what lies behind them."""

_PATIENCE_MS: Final = 3_000
"""How long an answer is waited for before it is asked again: what fails is never answered."""


class StatePages:
    """Puts pages together; one is asked for at a time, so that a cursor that flies over epochs
    leaves no queue behind it.

    Attributes:
        rows: Rows that are at hand, of the view that was wanted last.
        more: Whether others follow.
        fresh: Whether *rows* are of the view that is wanted, and not of the one before.
    """

    def __init__(self) -> None:
        self.rows: tuple[StateRow, ...] = ()
        self.more = False
        self.fresh = False
        self._view: StateQuery | None = None
        self._shown: StatePage | None = None
        self._asked: StateQuery | None = None
        self._asked_at_ms = 0
        self._after: str | None = None
        self._wanted_rows = 0

    def want(self, view: StateQuery, rows: int) -> None:
        """Say which state is wanted, and how many rows of it.

        Args:
            view: Epoch, step and search.
            rows: Rows; the pages that hold them are asked for one after the other.
        """
        if view != self._view:
            self._view, self._after = view, None
            self._shown, self.fresh = None, False
        self._wanted_rows = min(rows, MOST_ROWS)

    def take(self, page: StatePage | None) -> None:
        """Take in what the session shows."""
        if page is None:
            self._shown, self._after = None, None
            self.rows, self.more, self.fresh = (), False, False
            return
        if page is self._shown:
            return
        self._shown = page
        if self._asked is not None and _answers(page.query, self._asked):
            self._asked = None
        view = self._view
        if view is None or not _answers(_first_of(page.query), view):
            return
        if page.query.after is None:
            self.rows, self.fresh = page.rows, True
        elif self.fresh and page.query.after == self._after:
            self.rows = (*self.rows, *page.rows)
        else:
            return
        self.more = page.more
        last = page.rows[-1].key if page.rows else page.query.after
        self._after = page.looked_up_to if page.looked_up_to is not None else last

    def next_query(self, now_ms: int) -> StateQuery | None:
        """Return what is to be asked for now; ``None`` while nothing is."""
        waits = self._asked is not None and now_ms - self._asked_at_ms < _PATIENCE_MS
        lacks = not self.fresh or (self.more and len(self.rows) < self._wanted_rows)
        if self._view is None or waits or not lacks:
            return None
        if self.fresh:
            wanted = replace(self._view, after=self._after, limit=_PAGE_ROWS)
        else:
            limit = min(max(_PAGE_ROWS, self._wanted_rows), MOST_ROWS)
            wanted = replace(self._view, limit=limit)
        self._asked, self._asked_at_ms = wanted, now_ms
        return wanted

    @property
    def cut(self) -> bool:
        """Whether rows were left out because there are too many."""
        return self.more and len(self.rows) >= MOST_ROWS


def _first_of(query: StateQuery) -> StateQuery:
    return replace(query, after=None)


def _answers(query: StateQuery, wanted: StateQuery) -> bool:
    """Return whether a page of *query* is one that was wanted; a step that was left open is filled
    in, and how many rows it has does not matter."""
    step = query.step_id if wanted.step_id is None else wanted.step_id
    return replace(query, limit=0) == replace(wanted, step_id=step, limit=0)
